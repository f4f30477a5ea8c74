# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that one task asks: a cluster that is connected to when it is first needed, and then once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api import Cluster, connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    Found,
    gone,
    nobody,
    sort_out,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import Forward


class Access:
    """What the option `cluster` leads to. All methods raise ClusterError; several threads may use it at once."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None

    def cluster(self) -> Cluster:
        with self._lock:
            if self._cluster is None:
                self._cluster = connect(self._options)
            return self._cluster

    def pods(self, selector: str, namespace: str = "", container: str = "") -> Found:
        """The pods that a label selector finds, of which at least one is ready: else a ClusterError says what there is instead."""
        cluster = self.cluster()
        space = namespace or cluster.namespace
        found = sort_out(cluster.list("Pod", selector, namespace=space), container)
        if found.ready:
            return found
        everyone: list[dict[str, Any]] = []
        if not found.unready:
            everyone = cluster.list("Pod", namespace=space)
        if not found.unready and not everyone and self._no_namespace(cluster, space):
            raise ClusterError(
                "not_found",
                f"there is no namespace {space}; does the right cluster answer ({cluster.server})?",
            )
        raise ClusterError("not_found", nobody(found, selector, space, everyone))

    def forward(self, pod: str, port: int, namespace: str, timeout: float) -> Forward:
        return self.cluster().forward(pod, port, namespace=namespace, timeout=timeout)

    def gone(self, pod: str, namespace: str, uid: str = "") -> str:
        """Why a pod that was there does not answer, in words; empty where it is still there, and where nobody can tell."""
        try:
            now = self.cluster().get("Pod", pod, namespace=namespace)
        except ClusterError:
            return ""
        if now is None:
            return f"pod {pod} is gone"
        if uid and now["metadata"].get("uid") != uid:
            return f"pod {pod} is gone, and another has its name"
        why = gone(now)
        return f"pod {pod} is gone ({why})" if why else ""

    def close(self) -> None:
        with self._lock:
            if self._cluster is not None:
                self._cluster.close()
                self._cluster = None

    @staticmethod
    def _no_namespace(cluster: Cluster, namespace: str) -> bool:
        """Pods of a namespace that does not exist are an empty list, too. Who may not look at namespaces is told that."""
        try:
            return cluster.get("Namespace", namespace) is None
        except ClusterError:
            return False
