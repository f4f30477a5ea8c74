# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WebSocket (RFC 6455): a connection is upgraded once, then each request is one message and its reply one message."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LONGEST,
    PING,
    PONG,
    TEXT,
    frame,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_handshake import (
    SWITCHING_PROTOCOLS,
    HandshakeError,
    check_response,
    new_key,
    upgrade_headers,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    KEPT_BYTES,
    Answer,
    KeptConnection,
    RequestError,
    first_bytes,
    receive,
    send_all,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import AnswerReader, request_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.raw_bytes import (
    host_in,
    reply_matches,
    reply_mismatch,
)

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

_NORMAL_CLOSURE = b"\x03\xe8"  # code 1000, section 7.4.1
_NO_CODE = 1005  # section 7.4.1


class WebSocketClient(KeptConnection):
    """A client for ws:// and wss://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        super().__init__(traffic, context)
        self._frames: FrameReader | None = None
        self._headers: Mapping[str, str] = {}
        self._host: str | None = None  # a server sends its name once for each connection

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        """Upgrade a new connection, send the payload and read the reply."""
        traffic = self.traffic
        if self._frames is None:
            refusal = self._upgrade(connection, deadline)
            if refusal is not None:
                self.close()
                return refusal
        frames = self._frames
        if frames is None:
            return None  # the connection broke before the first byte of an answer
        frames.deadline = deadline
        send_all(connection, frame(TEXT, traffic.payload), deadline)
        data = frames.message()
        if not reply_matches(traffic.reply, data):
            raise RequestError("reply", reply_mismatch(traffic, data))
        self._host = self._host or host_in(traffic, data)
        answer = Answer(SWITCHING_PROTOCOLS, self._headers, data[:KEPT_BYTES], len(data), self._host)
        if not traffic.reuse:
            self._close_handshake(connection, frames, deadline)
        return answer

    def _upgrade(self, connection: socket.socket, deadline: float) -> Answer | None:
        """Upgrade a connection; return the answer of a server that refuses."""
        key = new_key()
        first = first_bytes(connection, upgrade_bytes(self.traffic, key), deadline)
        if not first:
            return None
        reader = AnswerReader(connection, deadline, first, KEPT_BYTES)
        answer = reader.read("GET")
        if answer.status != SWITCHING_PROTOCOLS:
            return answer
        try:
            check_response(answer.headers, key)
        except HandshakeError as error:
            raise RequestError("protocol", f"the upgrade failed: {error}") from None
        self._headers = answer.headers
        self._frames = FrameReader(connection, deadline, reader.rest)
        return None

    def _close_handshake(self, connection: socket.socket, frames: FrameReader, deadline: float) -> None:
        """Send a close frame and wait for the server's, because servers count a connection that ends without as broken."""
        send_all(connection, frame(CLOSE, _NORMAL_CLOSURE), deadline)
        frames.until_close()
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._frames, self._host = None, None
        super().close()


class FrameReader:
    """Reads the messages of a server after the upgrade."""

    def __init__(self, connection: socket.socket, deadline: float, first: bytes) -> None:
        self.deadline = deadline
        self._connection = connection
        self._buffer = first

    def message(self) -> bytes:
        """Return the next message, of any number of frames, and reply to pings before it. Raises RequestError."""
        message = b""
        while True:
            final, opcode, data = self._frame()
            if opcode == CLOSE:
                code = int.from_bytes(data[:2], "big") if len(data) > 1 else _NO_CODE
                raise RequestError("reset", f"the server closed the WebSocket with code {code}")
            if opcode == PING:
                send_all(self._connection, frame(PONG, data), self.deadline)
            elif opcode in (CONTINUATION, TEXT, BINARY):
                message += data
                if len(message) > LONGEST:
                    raise RequestError("protocol", f"a message is longer than {LONGEST} bytes")
                if final:
                    return message

    def until_close(self) -> None:
        """Read until the server's close frame. Raises RequestError."""
        while self._frame()[1] != CLOSE:
            pass

    def _frame(self) -> tuple[bool, int, bytes]:
        """Return whether the next frame is the last one of its message, its opcode and its payload."""
        head = self._take(2)
        length = head[1] & 0x7F
        if head[1] & 0x80 or head[0] & 0x70:
            raise RequestError("protocol", "a server's frame has a mask or a reserved bit")
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        if length > LONGEST:
            raise RequestError("protocol", f"a frame of {length} bytes is longer than {LONGEST} bytes")
        return bool(head[0] & 0x80), head[0] & 0x0F, self._take(length)

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            more = receive(self._connection, self.deadline)
            if not more:
                raise RequestError("reset", "the server closed the connection in the middle of a message")
            self._buffer += more
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data


def upgrade_bytes(traffic: Traffic, key: str) -> bytes:
    """Return the request for the upgrade: an HTTP request with the headers of WebSocket."""
    return request_bytes(traffic._replace(headers=(*upgrade_headers(key), *traffic.headers), reuse=True))
