# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access of one task to pods: a cluster that is connected to at the first use, and only once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import (
    Cluster,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import ClusterOptions
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    SelectedPods,
    no_ready_pod,
    select_ready,
    termination_reason,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward


class PodAccess:
    """Find pods and connect to them. Several threads can use one PodAccess. Methods raise ClusterError."""

    def __init__(self, options: ClusterOptions | Mapping[str, Any] | None = None) -> None:
        """Keep the option `cluster`; nothing is connected to yet."""
        self._options = options
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None

    def cluster(self) -> Cluster:
        """Return the cluster's client; the first call creates it."""
        with self._lock:
            if self._cluster is None:
                self._cluster = connect(self._options)
            return self._cluster

    def pods(self, selector: str, namespace: str = "", container: str = "") -> SelectedPods:
        """Return the pods of a label selector, of which at least one is ready.

        Args:
            selector: The label selector; empty for all pods of the namespace.
            namespace: Empty for the namespace of the option `cluster`.
            container: Only the readiness of this container counts; empty for that of the pod.

        Raises:
            ClusterError: No pod is ready (`not_found`; the message names the pods and why), or the request failed.
        """
        cluster = self.cluster()
        namespace = namespace or cluster.namespace
        selected = select_ready(cluster.list("Pod", selector, namespace=namespace), container)
        if selected.ready:
            return selected
        namespace_pods: list[dict[str, Any]] = []
        if not selected.unready:
            namespace_pods = cluster.list("Pod", namespace=namespace)
            if not namespace_pods and self._lacks_namespace(cluster, namespace):
                raise ClusterError(
                    "not_found",
                    f"there is no namespace {namespace}. Check that {cluster.server} is the right cluster.",
                )
        raise ClusterError("not_found", no_ready_pod(selected, selector, namespace, namespace_pods))

    def forward(self, pod: str, port: int, namespace: str, timeout: float) -> PortForward:
        """Return a connection to a port of a pod; see `Cluster.forward`."""
        return self.cluster().forward(pod, port, namespace=namespace, timeout=timeout)

    def missing_reason(self, pod: str, namespace: str, uid: str = "") -> str:
        """Return why a pod that was found before does not respond any more.

        Empty where the pod is still there, and where that cannot be found out.
        """
        try:
            found = self.cluster().get("Pod", pod, namespace=namespace)
        except ClusterError:
            return ""
        if found is None:
            return f"pod {pod} no longer exists"
        if uid and found["metadata"].get("uid") != uid:
            return f"pod {pod} no longer exists, and a new pod has its name"
        reason = termination_reason(found)
        return f"pod {pod} no longer exists ({reason})" if reason else ""

    def close(self) -> None:
        """End all port-forwards and connections."""
        with self._lock:
            if self._cluster is not None:
                self._cluster.close()
                self._cluster = None

    @staticmethod
    def _lacks_namespace(cluster: Cluster, namespace: str) -> bool:
        """Return whether the namespace is missing: the API lists its pods as an empty list, too."""
        try:
            return cluster.get("Namespace", namespace) is None
        except ClusterError:
            return False
