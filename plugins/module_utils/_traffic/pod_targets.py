# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods in place of an address: connections go through the API server to those that are ready, which take turns."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import (
    TrafficError,
    dictionary,
    text,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward

KEYS = ("selector", "namespace", "container", "port")
_PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")


class Pods:
    """The pods of one traffic. Its senders share it."""

    def __init__(
        self, access: PodAccess, selector: str, port: int | str, namespace: str = "", container: str = ""
    ) -> None:
        self.selector, self.namespace, self.container, self.port = selector, namespace, container, port
        self._access = access
        self._lock = threading.Lock()
        self._ready: Sequence[tuple[str, int]] = ()  # names and ports
        self._turn = 0

    def connect(self, timeout: float) -> tuple[PortForward, str]:
        """A connection to the pod whose turn it is, and what to call it. Raises ClusterError."""
        from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

        deadline = time.monotonic() + timeout
        tries = 0
        while True:
            pod, port = self._next()
            tries += 1
            try:
                left = max(0.1, deadline - time.monotonic())
                return self._access.forward(pod, port, self.namespace, left), f"port {port} of pod {pod}"
            except ClusterError as error:
                # One that went away since they were looked up; another may have come in its place.
                if error.reason != "not_found" or tries > 2:
                    raise
                with self._lock:
                    self._ready = ()

    def _next(self) -> tuple[str, int]:
        with self._lock:
            if not self._ready:
                self._ready = self._look_up()
            self._turn += 1
            return self._ready[(self._turn - 1) % len(self._ready)]

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
            raise ClusterError("invalid", f"pod {ready[0][0]} has no port named {self.port}; give its number")
        return with_port


def access_for(entries: Sequence[Any], cluster: Mapping[str, Any] | PodAccess | None) -> PodAccess | None:
    """What leads to the cluster, where a traffic goes to pods; one for all, connected to when it is first needed."""
    if not any(isinstance(entry, Mapping) and entry.get("pod") for entry in entries):
        return None
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

    return cluster if isinstance(cluster, PodAccess) else PodAccess(cluster)


def parse_pods(
    data: Mapping[str, Any], scheme: str, port: int, where: str, access: PodAccess | None
) -> Pods | None:
    """Reads `pod` of a traffic, whose address has this port. Raises TrafficError."""
    if not data.get("pod") or access is None:
        return None
    if scheme == "udp":
        raise TrafficError(f"{where}.pod does not go with udp://, which a port-forward does not carry")
    where = f"{where}.pod"
    pod = dictionary(data["pod"], where, KEYS)
    selector = text(pod, "selector", where)
    if not selector:
        raise TrafficError(f"{where}.selector is missing: a label selector, such as app=web")
    said = text(pod, "port", where) or str(port)
    if not (0 < int(said) < 65_536 if said.isdigit() else _PORT_NAME.fullmatch(said)):
        raise TrafficError(f"{where}.port is the number or the name of a pod's port, not {said!r}")
    return Pods(
        access,
        selector,
        int(said) if said.isdigit() else said,
        text(pod, "namespace", where) or "",
        text(pod, "container", where) or "",
    )
