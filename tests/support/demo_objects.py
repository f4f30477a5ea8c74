# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a demo `web`, for unit tests of the Kubernetes platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import DeploymentSpec
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deploy import (
    KubernetesDeployer,
)

LABELS = {"meshlab.envoy/demo": "web", "app.kubernetes.io/name": "app"}
SELECTOR = "meshlab.envoy/demo=web"


def make_object(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    """Return an object with the labels of the demo."""
    metadata = {"name": name, "labels": LABELS, **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


MOUNTS = {"volumes": [{"configMap": {"name": "web-app"}}]}
CONFIG_MAP = make_object("ConfigMap", "web-app", data={"a": "1"})
SERVICE = make_object("Service", "web-app", spec={"ports": [{"port": 80}]})
DEPLOYMENT = make_object(
    "Deployment",
    "web-app",
    "apps/v1",
    spec={"template": {"metadata": {"labels": LABELS}, "spec": MOUNTS}},
)
REPLICA_SET = make_object("ReplicaSet", "web-app-1", "apps/v1")
POD = make_object("Pod", "web-app-1", spec=MOUNTS)


def network_policy(*callers: str) -> dict[str, Any]:
    """Return a NetworkPolicy that admits these groups."""
    rules = [
        {
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": caller}}}],
            "ports": [{"port": 80, "protocol": "TCP"}],
        }
        for caller in callers
    ]
    spec = {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Ingress"], "ingress": rules}
    return make_object("NetworkPolicy", "web-app", "networking.k8s.io/v1", spec=spec)


def deployer_on(cluster: Any, *manifests: dict[str, Any]) -> KubernetesDeployer:
    """Return a deployer of these objects that is connected to a fake cluster."""
    deployer = KubernetesDeployer(DeploymentSpec("web", Path("/nonexistent"), manifests=manifests))
    deployer._cluster = cluster
    return deployer


def changing_requests(cluster: Any) -> list[str]:
    """Return the requests to a fake cluster that change an object."""
    return [one for one in cluster.requests if one.split()[0] in ("apply", "patch", "delete")]
