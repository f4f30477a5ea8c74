# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages read from frames in pieces of any size, and the request for the upgrade."""

from __future__ import annotations

import socket
import time

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_frames import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import RequestError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.websocket_client import (
    FrameReader,
    upgrade_bytes,
)


def server_frame(opcode: int, data: bytes, final: bool = True) -> bytes:
    """Return a frame without a mask, as a server sends it."""
    size = len(data)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 65_536
        else b"\x7f" + size.to_bytes(8, "big")
    )
    return bytes([(0x80 if final else 0) | opcode]) + length + data


def read(data: bytes, first: int = 0) -> tuple[bytes, bytes]:
    """Return the message in `data`, of which `first` bytes came with the upgrade, and the bytes that the client sent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[first:])
        theirs.shutdown(socket.SHUT_WR)
        message = FrameReader(ours, time.monotonic() + 5, data[:first]).message()
        ours.shutdown(socket.SHUT_WR)
        back = b""
        while part := theirs.recv(1000):
            back += part
        return message, back


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_are_read(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    made = frame(TEXT, data, b"\x01\x02\x03\x04")
    header = 2 if size < 126 else 4 if size < 65_536 else 10
    assert made[0] == 0x81
    assert made[1] & 0x80
    assert made[header : header + 4] == b"\x01\x02\x03\x04"
    masked = made[header + 4 :]
    assert bytes(byte ^ (position % 4 + 1) for position, byte in enumerate(masked)) == data
    assert read(server_frame(TEXT, data))[0] == data


def test_fragmented_message_with_a_ping_is_read() -> None:
    data = (
        server_frame(TEXT, b"hel", final=False) + server_frame(PING, b"p") + server_frame(CONTINUATION, b"lo")
    )
    for first in range(len(data)):
        message, back = read(data, first)
        assert message == b"hello"
        assert back[0] == 0x80 | PONG
        assert len(back) == 2 + 4 + 1


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (server_frame(CLOSE, b"\x03\xe9going"), "reset", "closed the WebSocket with code 1001"),
        (server_frame(CLOSE, b""), "reset", "code 1005"),
        (server_frame(TEXT, b"hello")[:-1], "reset", "in the middle of a message"),
        (b"", "reset", "in the middle of a message"),
        (b"\x81\x85abcdhello", "protocol", "a mask or a reserved bit"),
        (b"\xc1\x00", "protocol", "a mask or a reserved bit"),
        (b"\x81\x7f" + (2**40).to_bytes(8, "big"), "protocol", "a frame of 1099511627776 bytes"),
    ],
)
def test_incomplete_messages_are_errors(data: bytes, kind: str, error: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(data)
    assert caught.value.kind == kind
    assert error in str(caught.value)


def test_upgrade_request_has_the_headers_of_the_traffic() -> None:
    keys = {"url": "ws://a:8080/x?y=1", "host": "shop", "headers": {"origin": "https://shop"}}
    for connections in ("reuse", "new"):
        [traffic] = parse_traffic([{**keys, "connections": connections}])
        lines = upgrade_bytes(traffic, "key").decode().split("\r\n")
        assert lines[:2] == ["GET /x?y=1 HTTP/1.1", "host: shop"]
        assert {
            "connection: Upgrade",
            "upgrade: websocket",
            "sec-websocket-key: key",
            "origin: https://shop",
        } < set(lines)
        assert "connection: close" not in lines
