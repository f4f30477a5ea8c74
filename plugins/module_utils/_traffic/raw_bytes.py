# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a payload over TCP, TLS or UDP, and wait for the reply."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    KEPT_BYTES,
    Answer,
    KeptConnection,
    RequestError,
    first_bytes,
    receive,
    send_all,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    import ssl


class StreamClient(KeptConnection):
    """A client for tcp:// and tls://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        super().__init__(traffic, context)
        self._host: str | None = None  # a server sends its name once for each connection

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        """Send the payload and read until the reply matches."""
        traffic = self.traffic
        data = b""
        if traffic.payload or traffic.reply is not None:
            data = first_bytes(connection, traffic.payload, deadline)
            if not data:
                return None
        while not reply_matches(traffic.reply, data):
            more = self._receive_more(connection, data, deadline) if len(data) < KEPT_BYTES else b""
            if not more:
                raise RequestError("reply", reply_mismatch(traffic, data))
            data += more
        self._host = self._host or host_in(traffic, data)
        answer = Answer(None, {}, data[:KEPT_BYTES], len(data), self._host)
        if not traffic.reuse:
            self.close()
        return answer

    def _receive_more(self, connection: socket.socket, data: bytes, deadline: float) -> bytes:
        """Return the next bytes; a timeout means that `data` is the whole reply, and it does not match."""
        try:
            return receive(connection, deadline)
        except RequestError as error:
            if error.kind == "timeout":
                raise RequestError("reply", reply_mismatch(self.traffic, data)) from None
            raise

    def close(self) -> None:
        """Close the connection."""
        self._host = None
        super().close()


class DatagramClient:
    """A client for udp://: one datagram is sent, one datagram is the reply."""

    def __init__(self, traffic: Traffic) -> None:
        self.connections = 0
        self.retries = 0
        self._traffic = traffic
        self._socket: socket.socket | None = None

    def exchange(self, deadline: float) -> Answer:
        """Send a datagram and return its reply. Raises RequestError."""
        if self._socket is None:
            self._socket = self._open()
            self.connections += 1
        send_all(self._socket, self._traffic.payload, deadline)
        data = receive(self._socket, deadline)
        if not reply_matches(self._traffic.reply, data):
            raise RequestError("reply", reply_mismatch(self._traffic, data))
        if not self._traffic.reuse:
            self.close()
        return Answer(None, {}, data, len(data))

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        target = self._traffic.target
        problem: OSError | UnicodeError = OSError("the host name has no address")
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            found, problem = [], error
        # UDP has no handshake, so the first address with a route is used.
        for family, kind, protocol, _name, address in found:
            try:
                return _connected(socket.socket(family, kind, protocol), address)
            except OSError as error:
                problem = error
        raise RequestError(
            "connect", f"cannot send to {target.host}:{target.port}: {error_text(problem)}"
        ) from None


def _connected(opened: socket.socket, address: Any) -> socket.socket:
    try:
        opened.connect(address)
    except OSError:
        opened.close()
        raise
    return opened


def reply_matches(reply: re.Pattern[bytes] | None, data: bytes) -> bool:
    """Return whether these bytes are the expected reply; without an expected reply any bytes are."""
    return reply is None or reply.search(data) is not None


def host_in(traffic: Traffic, data: bytes) -> str | None:
    """Return the host name that `host_from` finds in these bytes."""
    found = traffic.host_body.search(data.decode("utf-8", "replace")) if traffic.host_body else None
    return (found[1] if found.re.groups else found[0]) if found else None


def reply_mismatch(traffic: Traffic, data: bytes) -> str:
    """Return the message for bytes that are not the expected reply."""
    pattern = traffic.reply.pattern.decode("utf-8", "replace") if traffic.reply else ""
    return f"expected a reply that matches {pattern!r}, got {data[:80]!r}"
