# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reserve the ports of a deployment until its programs listen on them.

Two deployments at the same moment find the same port free, and Envoys with SO_REUSEPORT then share it without an error. A reservation
is a Unix socket with an abstract name (unix(7)): it belongs to the network namespace, as the port does, and the kernel removes it when
the process ends, however it ends. Hosts without abstract names (macOS) reserve nothing.
"""

from __future__ import annotations

import errno
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import (
    Listener,
    NeededPort,
    conflicts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import PROC

# The kernel shows the zero byte at the beginning of an abstract name as `@`.
_RESERVATION = re.compile(r"@(meshlab\.envoy/(tcp|udp|hot_restart)/(\d+)/(\S*))$", re.MULTILINE)


class PortReservations:
    """The ports that this deployment has reserved."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def reserve(self, ports: Iterable[NeededPort]) -> None:
        """Reserve ports until `release`.

        Raises:
            PlatformRefused: Another deployment has reserved one of them, at an address that cannot be used at the same time.
        """
        if not sys.platform.startswith("linux"):
            return
        needed = list(ports)
        for port in needed:
            self._reserve(port)
        others = [listener for name, listener in _reservations(PROC) if name not in self._sockets]
        for port in needed:
            if any(conflicts(port, other) for other in others):
                raise _refusal(port)

    def release(self) -> None:
        """Release all ports."""
        for reservation in self._sockets.values():
            reservation.close()
        self._sockets.clear()

    def _reserve(self, port: NeededPort) -> None:
        name = f"meshlab.envoy/{port.protocol}/{port.port}/{port.address}"
        if name in self._sockets:
            return
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0{name}")
        except OSError as error:
            reservation.close()
            if error.errno == errno.EADDRINUSE:
                raise _refusal(port) from None
            raise
        self._sockets[name] = reservation


def _reservations(proc: Path) -> Iterator[tuple[str, Listener]]:
    """Yield the name of each reservation on this host, with the port that a program will listen on."""
    try:
        table = (proc / "net" / "unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for name, protocol, port, address in _RESERVATION.findall(table):
        yield name, Listener(int(port), address, protocol)


def _refusal(port: NeededPort) -> PlatformRefused:
    return PlatformRefused(
        f"{port.noun} {port.port} of {port.workload}: another deployment on this host is starting a program on it. Wait until that"
        " deployment has finished, or give one of the demos another block of ports (ports: in the demo file)"
    )
