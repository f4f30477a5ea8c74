# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain bytes over TCP, TLS and UDP: a payload is sent, a reply is waited for."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from .connection import KEPT, Answer, RequestError, connect, reason, receive, send_all
from .spec import Traffic

if TYPE_CHECKING:
    import ssl


class StreamClient:
    """One connection's worth of a traffic over tcp:// or tls://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.retries = 0
        self._traffic = traffic
        self._context = context
        self._socket: socket.socket | None = None
        self._host: str | None = None  # a server tells its name once for each connection

    def exchange(self, deadline: float) -> Answer:
        if self._socket is not None:
            answer = self._attempt(self._socket, deadline, reused=True)
            if answer is not None:
                return answer
            self.close()
            self.retries += 1
        self._socket = connect(self._traffic, deadline, self._context)
        self.connections += 1
        answer = self._attempt(self._socket, deadline, reused=False)
        if answer is None:
            raise RequestError("reset", "the server closed the connection before it replied")
        if not self._traffic.reuse:
            self.close()
        return answer

    def close(self) -> None:
        self._host = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _attempt(self, connection: socket.socket, deadline: float, reused: bool) -> Answer | None:
        """One payload and its reply; None where the connection was closed before the reply's first byte."""
        traffic = self._traffic
        data = b""
        try:
            if traffic.payload:
                send_all(connection, traffic.payload, deadline)
            if traffic.payload or traffic.reply is not None:
                data = receive(connection, deadline)
                if not data:
                    return None
        except RequestError as failure:
            if reused and failure.kind == "reset":
                return None
            raise
        while not matches(traffic.reply, data):
            more = b""
            if len(data) < KEPT:
                try:
                    more = receive(connection, deadline)
                except RequestError as failure:
                    if failure.kind == "timeout":
                        raise RequestError("reply", wrong(traffic, data)) from None
                    raise
            if not more:
                raise RequestError("reply", wrong(traffic, data))
            data += more
        if traffic.host_body is not None and self._host is None:
            found = traffic.host_body.search(data.decode("utf-8", "replace"))
            if found is not None:
                self._host = found[1] if traffic.host_body.groups else found[0]
        return Answer(None, {}, data[:KEPT], len(data), self._host)


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
        try:
            family, kind, protocol, _name, address = socket.getaddrinfo(
                target.host, target.port, type=socket.SOCK_DGRAM
            )[0]
            opened = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:
            raise RequestError(
                "connect", f"cannot send to {target.host}:{target.port}: {reason(error)}"
            ) from None
        try:
            opened.connect(address)
        except OSError as error:
            opened.close()
            raise RequestError(
                "connect", f"cannot send to {target.host}:{target.port}: {reason(error)}"
            ) from None
        return opened


def matches(reply: re.Pattern[bytes] | None, data: bytes) -> bool:
    """Whether these bytes are the reply that was expected; any will do where none was stated."""
    return reply is None or reply.search(data) is not None


def wrong(traffic: Traffic, data: bytes) -> str:
    """What came instead of the reply."""
    pattern = traffic.reply.pattern.decode("utf-8", "replace") if traffic.reply else ""
    return f"the reply {data[:80]!r} does not match {pattern!r}"
