# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service with a sidecar as workloads, and the objects of a cluster that run them."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.documents import manifests
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)

ENVOY = Workload(
    name="web_1-envoy",
    command=("envoy", "--service-node", "$(POD_NAME)"),
    image="envoy:1",
    directory="/etc/envoy",
    mounts=(Mount("web_1", "/etc/envoy/web_1"),),
    ports=(
        Port(10000, name="ingress", scheme="http", peers=("edge",)),
        Port(8443, 8443, name="tls_in", scheme="https"),
        Port(9902, name="admin", scheme="http", metrics=True),
    ),
    probe=Probe("http", port=9902, path="/ready"),
    digest="abc",
    group="web_1",
    replicas=3,
    container="envoy",
    sidecar=True,
)


APP = Workload(
    name="web_1",
    command=("python3", "app.py"),
    image="python:3",
    network="web_1-envoy",
    ports=(Port(8080, name="app", scheme="http"),),
    probe=Probe("http", port=8080, path="/healthz", private=True, command=("ask",)),
    group="web_1",
    replicas=3,
    container="app",
)


FILES = {"web_1/bootstrap.yaml": "b", "web_1/secrets/tls_certificate.yaml": "i", "other/file": "o"}


def objects(
    *workloads: Workload,
    settings: ClusterSettings | None = None,
    certificates: list[str] | None = None,
    sensitive: dict[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the objects by `Kind/name`."""
    planned = manifests(
        "my_demo",
        workloads or (ENVOY, APP),
        {**FILES, **(sensitive or {})},
        [*(sensitive or {})],
        certificates or [],
        settings or ClusterSettings(),
    )
    json.dumps(planned)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in planned}


def pod(planned: dict[str, dict[str, Any]], name: str = "my-demo-web-1") -> dict[str, Any]:
    """Return the pod specification of a Deployment."""
    found: dict[str, Any] = planned[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return found
