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
import socket
import sys
from collections.abc import Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import NeededPort


class PortReservations:
    """The ports that this deployment has reserved."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def reserve(self, ports: Iterable[NeededPort]) -> None:
        """Reserve ports until `release`.

        Raises:
            PlatformRefused: Another deployment has reserved one of them.
        """
        if not sys.platform.startswith("linux"):
            return
        first_user = {(needed.protocol, needed.port): needed.workload for needed in reversed(list(ports))}
        for (protocol, port), workload in first_user.items():
            reservation = socket.socket(socket.AF_UNIX)
            self._sockets.append(reservation)
            try:
                reservation.bind(f"\0meshlab.envoy/{protocol}/{port}")
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                raise PlatformRefused(
                    f"port {port} of {workload}: another deployment on this host is starting a program on it. Wait until that"
                    " deployment has finished, or give one of the demos another block of ports (ports: in the demo file)"
                ) from None

    def release(self) -> None:
        """Release all ports."""
        for reservation in self._sockets:
            reservation.close()
        self._sockets.clear()
