# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket frames (RFC 6455, section 5.2), as pure functions."""

from __future__ import annotations

import os
from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LONGEST = 16 * 1024 * 1024  # bytes of a received frame; a longer frame is an error or an attack


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Return a whole message in one masked frame, as clients send it.

    Args:
        opcode: One of TEXT, BINARY, CLOSE, PING and PONG.
        payload: The message.
        mask: The 4 bytes of the mask; random ones by default.

    Example (from RFC 6455, section 5.7):
        >>> frame(TEXT, b"Hello", bytes.fromhex("37fa213d")).hex(" ")
        '81 85 37 fa 21 3d 7f 9f 4d 51 58'
    """
    length = len(payload)
    head = bytes([0x80 | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65_536:
        head += b"\xfe" + length.to_bytes(2, "big")
    else:
        head += b"\xff" + length.to_bytes(8, "big")
    mask = mask or os.urandom(4)
    return head + mask + _masked(payload, mask)


def frames(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Remove the complete frames from the start of `data`, and yield opcode and payload of each.

    Raises:
        ValueError: A frame is longer than LONGEST.
    """
    while len(data) >= 2:
        length, start = data[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        is_masked = bool(data[1] & 0x80)
        start += 4 if is_masked else 0
        if len(data) < start:
            return
        if length > LONGEST:
            raise ValueError(f"a frame of {length} bytes, at most {LONGEST} are supported")
        if len(data) < start + length:
            return
        opcode, payload = data[0] & 0x0F, bytes(data[start : start + length])
        if is_masked:
            payload = _masked(payload, bytes(data[start - 4 : start]))
        del data[: start + length]
        yield opcode, payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
