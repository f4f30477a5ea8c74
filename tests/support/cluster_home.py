# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home whose playbooks deploy to a new namespace of a cluster."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from live import Home, answered

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import (
    Cluster,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import kind_of

PLATFORMS = ("kubernetes", "openshift")
# Labels of the namespace. With the one of openshift, the lab's cluster gives the pods a user of the range in UIDS, as OpenShift does.
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
PLATFORM_LABELS = {"kubernetes": {}, "openshift": {"meshlab.envoy/openshift": "true"}}
UIDS = {"openshift.io/sa.scc.uid-range": "1000650000/10000"}
# The kinds of a demo's objects. A namespace has others, which the cluster creates.
DEMO_KINDS = (
    "Deployment", "ReplicaSet", "Pod", "Service", "ConfigMap", "Secret", "ServiceAccount", "NetworkPolicy",
    "PodDisruptionBudget", "Route",
)  # fmt: skip


class ClusterHome(Home):
    """A home folder, and a namespace with Pod Security `restricted` or with other labels; `close` removes both."""

    def __init__(self, platform: str, labels: Mapping[str, str] | None = None) -> None:
        super().__init__(platform, publishes=False)
        labels = RESTRICTED if labels is None else labels
        # A new name for each home: the deletion of a namespace takes some seconds.
        self.namespace = f"meshlab-{self.prefix}-{secrets.token_hex(3)}"
        self.cluster: Cluster = connect({"namespace": self.namespace})
        self.variables["deployment_cluster"] = {"namespace": self.namespace}
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": self.namespace,
                    "labels": {**labels, **PLATFORM_LABELS[platform]},
                    "annotations": UIDS,
                },
            }
        )

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run kubectl in the namespace."""
        return kubectl(self, *arguments)

    def close(self) -> None:
        self.cluster.delete("Namespace", self.namespace)
        self.cluster.close()
        super().close()

    def state(self, demo: str) -> Path:
        return super().state(demo).with_name(f"{self.name(demo)}.{self.namespace}")

    def objects(self, kind: str, demo: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind that belong to a demo; without a name those of all demos."""
        selector = f"meshlab.envoy/demo={self.name(demo)}" if demo else "app.kubernetes.io/managed-by"
        return self.cluster.list(kind, selector)

    def pods(self, demo: str, group: str) -> list[dict[str, Any]]:
        """Return the pods of a group that do not terminate."""
        found = self.cluster.list(
            "Pod", f"meshlab.envoy/demo={self.name(demo)},app.kubernetes.io/name={group}"
        )
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def running(self, demo: str) -> set[str]:
        """Return a line for each container of a demo, with its ID, which a restart changes."""
        return {
            f"{pod['metadata']['name']} {status['name']} {status['containerID']}"
            for pod in self.objects("Pod", demo)
            if "deletionTimestamp" not in pod["metadata"]
            for key in ("containerStatuses", "initContainerStatuses")
            for status in pod["status"].get(key, ())
        }

    def remaining(self, demo: str) -> list[str]:
        """Return the files, processes and objects of a demo; without objects that terminate."""
        kinds = [kind for kind in DEMO_KINDS if kind_of(kind)]
        return super().remaining(demo) + [
            f"{kind} {one['metadata']['name']}"
            for kind in kinds
            for one in self.objects(kind, demo)
            if "deletionTimestamp" not in one["metadata"]
        ]

    def events(self) -> str:
        """Return the last events of the namespace, for the message of a failed assertion."""
        return json.dumps([one.get("message") for one in self.cluster.list("Event")][-20:], indent=1)


def home_without_ports(platform: str) -> Home:
    """Return a home on any platform for demos that have ports of their own, and not those of the gallery."""
    return ClusterHome(platform) if platform in PLATFORMS else Home(platform, publishes=False)


def traffic_to_pods(
    home: ClusterHome, demo: str, group: str, port: int, path: str = "/"
) -> AbstractContextManager[Counter[str]]:
    """Send traffic to the pods of a group until the end of the block; see `live.answered`."""
    selector = f"meshlab.envoy/demo={home.name(demo)},app.kubernetes.io/name={group}"
    entry = {"url": f"http://{group}:{port}{path}", "pod": {"selector": selector, "port": port}}
    return answered(entry, least=100, namespace=home.namespace)


def kubectl(home: ClusterHome, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run kubectl in the namespace of a home."""
    program = os.environ.get("MESHLAB_KUBECTL") or "kubectl"
    return subprocess.run(
        [program, "--namespace", home.namespace, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
