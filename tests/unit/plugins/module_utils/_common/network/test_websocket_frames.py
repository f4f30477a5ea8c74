# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket frames."""

from __future__ import annotations

import os

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_frames import (
    BINARY,
    PING,
    TEXT,
    frame,
    frames,
)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_frames_of_each_length_are_read_in_pieces(length: int) -> None:
    payload = os.urandom(length)
    data = frame(BINARY, payload) + frame(PING, b"x")
    inbox, read = bytearray(), []
    step = max(1, len(data) // 7)
    for start in range(0, len(data), step):
        inbox += data[start : start + step]
        read += list(frames(inbox))
    assert read == [(BINARY, payload), (PING, b"x")]
    assert not inbox


def test_masked_frame_matches_the_example_of_the_rfc() -> None:
    assert frame(TEXT, b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")


def test_frame_that_is_too_long_is_an_error() -> None:
    with pytest.raises(ValueError, match="bytes"):
        list(frames(bytearray(b"\x82\x7f" + (2**40).to_bytes(8, "big"))))
