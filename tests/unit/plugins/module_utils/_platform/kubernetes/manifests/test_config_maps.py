# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of ConfigMaps, Secrets and their volumes."""

from __future__ import annotations

import json
from dataclasses import replace
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
    *workloads: Workload, settings: ClusterSettings | None = None, certificates: list[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the objects by `Kind/name`."""
    planned = manifests(
        "my_demo", workloads or (ENVOY, APP), FILES, certificates or [], settings or ClusterSettings()
    )
    json.dumps(planned)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in planned}


def pod(planned: dict[str, dict[str, Any]], name: str = "my-demo-web-1") -> dict[str, Any]:
    found: dict[str, Any] = planned[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return found


def test_volume_has_files_and_certificates() -> None:
    planned = objects(certificates=["web_1/certs"])
    config = planned["ConfigMap/my-demo-web-1-abc"]
    assert config["data"] == {"bootstrap.yaml": "b", "secrets__tls_certificate.yaml": "i"}
    assert config["metadata"]["annotations"] == {"meshlab.envoy/folder": "web_1"}
    assert "data" not in planned["Secret/my-demo-web-1-certs"]
    volume = next(one for one in pod(planned)["volumes"] if one["name"] == "web-1")
    from_files, from_keys = volume["projected"]["sources"]
    assert {one["path"] for one in from_files["configMap"]["items"]} == {
        "bootstrap.yaml",
        "secrets/tls_certificate.yaml",
    }
    assert {(one["path"], one["mode"]) for one in from_keys["secret"]["items"]} == {
        ("certs/tls.crt", 0o440),
        ("certs/tls.key", 0o440),
        ("certs/ca.crt", 0o440),
    }


def test_config_map_name_contains_the_digest() -> None:
    """Earlier pods keep the files they started with, so a failed rollout does not change them."""
    before, after = objects(), objects(replace(ENVOY, digest="def"), APP)
    assert "ConfigMap/my-demo-web-1-abc" in before
    assert "ConfigMap/my-demo-web-1-def" in after
    assert pod(before) != pod(after)
