# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain bytes over TCP, TLS and UDP: a payload is sent, a reply is waited for."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    KEPT,
    Answer,
    KeptConnection,
    RequestError,
    first_bytes,
    reason,
    receive,
    send_all,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    import ssl


class StreamClient(KeptConnection):
    """One connection's worth of a traffic over tcp:// or tls://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        super().__init__(traffic, context)
        self._host: str | None = None  # a server tells its name once for each connection

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        traffic = self.traffic
        data = b""
        if traffic.payload or traffic.reply is not None:
            data = first_bytes(connection, traffic.payload, deadline)
            if not data:
                return None
        while not matches(traffic.reply, data):
            more = self._more(connection, data, deadline) if len(data) < KEPT else b""
            if not more:
                raise RequestError("reply", wrong(traffic, data))
            data += more
        self._host = self._host or host_in(traffic, data)
        answer = Answer(None, {}, data[:KEPT], len(data), self._host)
        if not traffic.reuse:
            self.close()
        return answer

    def _more(self, connection: socket.socket, data: bytes, deadline: float) -> bytes:
        """What comes after `data`, which was not the reply; where nothing does in time, it is a wrong one."""
        try:
            return receive(connection, deadline)
        except RequestError as error:
            if error.kind == "timeout":
                raise RequestError("reply", wrong(self.traffic, data)) from None
            raise

    def close(self) -> None:
        self._host = None
        super().close()


class DatagramClient:
    """One socket's worth of a traffic over udp://: a datagram out, a datagram back."""

    def __init__(self, traffic: Traffic) -> None:
        self.connections = 0
        self.retries = 0
        self._traffic = traffic
        self._socket: socket.socket | None = None

    def exchange(self, deadline: float) -> Answer:
        if self._socket is None:
            self._socket = self._open()
            self.connections += 1
        send_all(self._socket, self._traffic.payload, deadline)
        data = receive(self._socket, deadline)
        if not matches(self._traffic.reply, data):
            raise RequestError("reply", wrong(self._traffic, data))
        if not self._traffic.reuse:
            self.close()
        return Answer(None, {}, data, len(data))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        target = self._traffic.target
        problem: OSError | UnicodeError = OSError("its name has no address")
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            found, problem = [], error
        # Whether anybody listens cannot be asked; of a name's addresses the first is taken that there is a way to.
        for family, kind, protocol, _name, address in found:
            try:
                return _connected(socket.socket(family, kind, protocol), address)
            except OSError as error:
                problem = error
        words = f"cannot send to {target.host}:{target.port}: {reason(problem)}"
        raise RequestError("connect", words) from None


def _connected(opened: socket.socket, address: Any) -> socket.socket:
    try:
        opened.connect(address)
    except OSError:
        opened.close()
        raise
    return opened


def matches(reply: re.Pattern[bytes] | None, data: bytes) -> bool:
    """Whether these bytes are the reply that was expected; any will do where none was stated."""
    return reply is None or reply.search(data) is not None


def host_in(traffic: Traffic, data: bytes) -> str | None:
    """The name of the host that these bytes tell, where the traffic looks for one."""
    found = traffic.host_body.search(data.decode("utf-8", "replace")) if traffic.host_body else None
    return (found[1] if found.re.groups else found[0]) if found else None


def wrong(traffic: Traffic, data: bytes) -> str:
    """What came instead of the reply."""
    pattern = traffic.reply.pattern.decode("utf-8", "replace") if traffic.reply else ""
    return f"the reply {data[:80]!r} does not match {pattern!r}"
