# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket (RFC 6455): a connection is upgraded once, then each request is a message out and a message back."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LONGEST,
    PING,
    PONG,
    TEXT,
    frame,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    KEPT,
    Answer,
    KeptConnection,
    RequestError,
    first_bytes,
    receive,
    send_all,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import AnswerReader, request_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.raw_bytes import host_in, matches, wrong

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # 1.3 of the RFC
SWITCHING = 101


class WebSocketClient(KeptConnection):
    """One connection's worth of a traffic over ws:// or wss://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        super().__init__(traffic, context)
        self._frames: FrameReader | None = None
        self._headers: dict[str, str] = {}
        self._host: str | None = None  # a server tells its name once for each connection

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        traffic = self.traffic
        if self._frames is None:
            refused = self._upgrade(connection, deadline)
            if refused is not None:
                self.close()
                return refused
        frames = self._frames
        if frames is None:
            return None  # the connection broke before the first byte of an answer
        frames.deadline = deadline
        send_all(connection, frame(TEXT, traffic.payload), deadline)
        data = frames.message()
        if not matches(traffic.reply, data):
            raise RequestError("reply", wrong(traffic, data))
        self._host = self._host or host_in(traffic, data)
        answer = Answer(SWITCHING, self._headers, data[:KEPT], len(data), self._host)
        if not traffic.reuse:
            self._part(connection, frames, deadline)
        return answer

    def _upgrade(self, connection: socket.socket, deadline: float) -> Answer | None:
        """Asks for the upgrade; an answer other than 101 is what came of the request."""
        key = base64.b64encode(os.urandom(16))
        first = first_bytes(connection, upgrade_bytes(self.traffic, key), deadline)
        if not first:
            return None
        reader = AnswerReader(connection, deadline, first, KEPT)
        answer = reader.read("GET")
        if answer.status != SWITCHING:
            return answer
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()  # noqa: S324
        if answer.headers.get("sec-websocket-accept") != accept:
            raise RequestError("protocol", "the answer to the upgrade is not for this key")
        self._headers = answer.headers
        self._frames = FrameReader(connection, deadline, reader.rest)
        return None

    def _part(self, connection: socket.socket, frames: FrameReader, deadline: float) -> None:
        """Says good-bye, and waits for it to be said back: a connection that ends without is counted as broken by some."""
        send_all(connection, frame(CLOSE, b"\x03\xe8"), deadline)
        frames.until_close()
        self.close()

    def close(self) -> None:
        self._frames, self._host = None, None
        super().close()


class FrameReader:
    """Reads what a server sends after the upgrade, message by message."""

    def __init__(self, connection: socket.socket, deadline: float, first: bytes) -> None:
        self.deadline = deadline
        self._connection = connection
        self._buffer = first

    def message(self) -> bytes:
        """The next message, of any number of frames; a ping before it is answered."""
        message = b""
        while True:
            final, opcode, data = self._frame()
            if opcode == CLOSE:
                code = int.from_bytes(data[:2], "big") if len(data) > 1 else 1005
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
        """Reads on until the server says good-bye, too."""
        while self._frame()[1] != CLOSE:
            pass

    def _frame(self) -> tuple[bool, int, bytes]:
        head = self._take(2)
        length = head[1] & 0x7F
        if head[1] & 0x80 or head[0] & 0x70:
            raise RequestError("protocol", "a server's frames have no mask and no reserved bits")
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        if length > LONGEST:
            raise RequestError("protocol", f"a frame of {length} bytes")
        return bool(head[0] & 0x80), head[0] & 0x0F, self._take(length)

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            more = receive(self._connection, self.deadline)
            if not more:
                raise RequestError("reset", "the server closed the connection in the middle of a message")
            self._buffer += more
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data


def upgrade_bytes(traffic: Traffic, key: bytes) -> bytes:
    """The request for the upgrade: that of HTTP, with what WebSocket adds."""
    added = (
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", key.decode()),
    )
    return request_bytes(traffic._replace(headers=(*added, *traffic.headers), reuse=True))
