# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect traffic to the ready pods of a selector, in turn, through the API server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    mapping,
    pod_port,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward

KEYS = ("selector", "namespace", "container", "port")
_SHORTEST = 0.1  # seconds that a connection gets at least
_MOST_LOOKUPS = 3


class PodTargets:
    """The pods of one traffic. All senders of the traffic share it."""

    def __init__(
        self, access: PodAccess, selector: str, port: int | str, namespace: str = "", container: str = ""
    ) -> None:
        self.selector, self.namespace, self.container, self.port = selector, namespace, container, port
        self._access = access
        self._lock = threading.Lock()
        self._ready: Sequence[tuple[str, int]] = ()  # name and port of each pod
        self._connections = 0

    def connect(self, timeout: float) -> tuple[PortForward, str]:
        """Return a connection to the next pod, and the pod's name and port for messages. Raises ClusterError."""
        from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

        deadline = time.monotonic() + timeout
        lookups = 0
        while True:
            pod, port = self._next()
            lookups += 1
            try:
                left = max(_SHORTEST, deadline - time.monotonic())
                return self._access.forward(pod, port, self.namespace, left), f"port {port} of pod {pod}"
            except ClusterError as error:
                # The pod was deleted after the last lookup; the Deployment may have created another one.
                if error.reason != "not_found" or lookups >= _MOST_LOOKUPS:
                    raise
                with self._lock:
                    self._ready = ()

    def _next(self) -> tuple[str, int]:
        with self._lock:
            if not self._ready:
                self._ready = self._look_up()
            self._connections += 1
            return self._ready[(self._connections - 1) % len(self._ready)]

    def _look_up(self) -> list[tuple[str, int]]:
        from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
        from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
            pod_name,
            port_number,
        )

        pods = self._access.pods(self.selector, self.namespace, self.container).ready
        ready = [(pod_name(pod), port_number(pod, self.port, self.container)) for pod in pods]
        with_port = [(name, port) for name, port in ready if port is not None]
        if not with_port:
            raise ClusterError(
                "invalid", f"pod {ready[0][0]} has no port named {self.port}. Use the number of the port."
            )
        return with_port


def access_for(entries: Sequence[Any], cluster: Mapping[str, Any] | PodAccess | None) -> PodAccess | None:
    """Return the access to the cluster that all traffic to pods shares, None where no traffic goes to pods."""
    if not any(isinstance(entry, Mapping) and entry.get("pod") for entry in entries):
        return None
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

    return cluster if isinstance(cluster, PodAccess) else PodAccess(cluster)


def parse_pod_targets(
    data: Mapping[str, Any], scheme: str, port: int, where: str, access: PodAccess | None
) -> PodTargets | None:
    """Return the option `pod` of a traffic whose URL has this scheme and port. Raises ArgumentError."""
    if not data.get("pod") or access is None:
        return None
    where = f"{where}.pod"
    if scheme == "udp":
        raise ArgumentError(where, "a port-forward does not carry udp://. Use tcp:// or another scheme.")
    pod = mapping(data["pod"], where, KEYS)
    selector = text(pod, "selector", where)
    if not selector:
        raise ArgumentError(f"{where}.selector", "a value is missing. Set a label selector, such as app=web.")
    return PodTargets(
        access,
        selector,
        pod_port(pod.get("port", port), f"{where}.port"),
        text(pod, "namespace", where),
        text(pod, "container", where),
    )
