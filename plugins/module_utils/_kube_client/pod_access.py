# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access of one task to pods: a cluster that is connected to at the first use, and only once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

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
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.selector_lists import (
    list_by_selector,
)


class PodSelection(NamedTuple):
    """Pods that are looked up: a label selector, a namespace (empty: that of the option `cluster`), and a container.

    Only the readiness of the container counts; that of the pod if it is empty.
    """

    selector: str
    namespace: str = ""
    container: str = ""


class PodPort(NamedTuple):
    """A port of one pod. The UID distinguishes it from an earlier pod of this name."""

    pod: str
    port: int
    namespace: str
    uid: str = ""


class PodAccess:
    """Find pods and connect to them. Several threads can use one PodAccess. Methods raise ClusterError."""

    def __init__(
        self,
        options: ClusterOptions | Mapping[str, Any] | None = None,
        *,
        keeps_connections: bool = False,
    ) -> None:
        """Keep the option `cluster`; nothing is connected to yet.

        Args:
            options: The option `cluster`.
            keeps_connections: Whether `keep` keeps port-forwards open, until `close`.
        """
        self._options = options
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None
        self._keeps_connections = keeps_connections
        self._kept: dict[PodPort, PortForward] = {}

    def cluster(self) -> Cluster:
        """Return the cluster's client; the first call creates it."""
        with self._lock:
            if self._cluster is None:
                self._cluster = connect(self._options)
            return self._cluster

    def pods(self, selector: str, namespace: str = "", container: str = "") -> SelectedPods:
        """Return the pods of one selection; see `select`.

        Raises:
            ClusterError: No pod is ready (`not_found`; the message names the pods and why), or the request failed.
        """
        selection = PodSelection(selector, namespace, container)
        found = self.select([selection])[selection]
        if isinstance(found, ClusterError):
            raise found
        return found

    def select(self, selections: Iterable[PodSelection]) -> dict[PodSelection, SelectedPods | ClusterError]:
        """Return the pods of each selection, of which at least one is ready.

        Selections in one namespace share requests; see `list_by_selector`. In place of the pods of a selection without a ready
        pod, there is the ClusterError `not_found`, whose message names the pods and why they are not ready. A request that fails
        is the ClusterError of all selections in its namespace.
        """
        cluster = self.cluster()
        by_namespace: dict[str, list[PodSelection]] = {}
        for one in selections:
            by_namespace.setdefault(one.namespace or cluster.namespace, []).append(one)
        found: dict[PodSelection, SelectedPods | ClusterError] = {}
        for namespace, group in by_namespace.items():
            try:
                pods = list_by_selector(cluster, "Pod", [one.selector for one in group], namespace)
                for one in group:
                    selected = select_ready(pods[one.selector], one.container)
                    missing = (
                        None if selected.ready else self._no_ready_pod(selected, one.selector, namespace)
                    )
                    found[one] = missing or selected
            except ClusterError as error:
                found |= dict.fromkeys(group, error)
        return found

    def _no_ready_pod(self, selected: SelectedPods, selector: str, namespace: str) -> ClusterError:
        cluster = self.cluster()
        namespace_pods: list[dict[str, Any]] = []
        if not selected.unready:
            namespace_pods = cluster.list("Pod", namespace=namespace)
            if not namespace_pods and self._lacks_namespace(cluster, namespace):
                return ClusterError(
                    "not_found",
                    f"there is no namespace {namespace}. Check that {cluster.server} is the right cluster.",
                )
        return ClusterError("not_found", no_ready_pod(selected, selector, namespace, namespace_pods))

    def forward(self, pod: str, port: int, namespace: str, timeout: float) -> PortForward:
        """Return a connection to a port of a pod; see `Cluster.forward`."""
        return self.cluster().forward(pod, port, namespace=namespace, timeout=timeout)

    def take(self, target: PodPort) -> PortForward | None:
        """Return a connection that was kept for this port of this pod, and is open; None if there is none."""
        with self._lock:
            kept = self._kept.pop(target, None)
        if kept is not None and not _is_idle(kept):
            kept.close()
            return None
        return kept

    def keep(self, target: PodPort, connection: PortForward) -> None:
        """Keep a connection on which no response is awaited, or close it if nothing is kept."""
        unused: PortForward | None = connection
        with self._lock:
            if self._keeps_connections:
                unused = self._kept.pop(target, None)
                self._kept[target] = connection
        if unused is not None:
            unused.close()

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
            for one in self._kept.values():
                one.close()
            self._kept.clear()
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


def _is_idle(connection: PortForward) -> bool:
    """Return whether a connection is open and has no bytes to read."""
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return connection.failure is None
    except OSError:
        return False
    return False
