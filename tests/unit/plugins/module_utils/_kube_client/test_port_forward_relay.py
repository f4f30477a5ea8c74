# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay between a local socket and the WebSocket to the API server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import websocket_frames
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import (
    Relay,
    kubelet_error,
)


class Ends(NamedTuple):
    """A relay, with the far ends of its two sides."""

    relay: Relay
    server: socket.socket
    user: socket.socket

    def send(self, head: int, payload: bytes) -> None:
        """Send a frame to the relay, without a mask as servers do."""
        self.server.sendall(bytes([head, len(payload)]) + payload)


@pytest.fixture
def ends() -> Iterator[Ends]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for _pair in range(2) for one in socket.socketpair()]
        for one in sockets:
            one.settimeout(1)
        yield Ends(Relay("the port-forward", sockets[0], sockets[2], b""), sockets[1], sockets[3])


def test_fragments_of_a_message_belong_to_one_channel(ends: Ends) -> None:
    ends.send(0x82, b"\0\x50\0")
    ends.send(0x02, b"\0ab")
    ends.send(0x00, b"\0cd")
    ends.send(0x80, b"\1ef")
    ends.send(0x89, b"hi")
    ends.relay.move()
    assert ends.user.recv(100) == b"ab\0cd\1ef"
    pong = (websocket_frames.PONG, b"hi")
    assert list(websocket_frames.frames(bytearray(ends.server.recv(100)))) == [pong]


def test_close_with_unsent_data_is_not_a_reset(ends: Ends) -> None:
    ends.user.sendall(b"too late")
    ends.relay.close()
    assert ends.user.recv(1) == b""


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ((1011).to_bytes(2, "big") + b"pod deleted", "the port-forward was cut: pod deleted"),
        ((1011).to_bytes(2, "big"), "the port-forward was cut: WebSocket close code 1011"),
    ],
)
def test_abnormal_close_is_broken(ends: Ends, payload: bytes, message: str) -> None:
    ends.send(0x88, payload)
    ends.relay.move()
    assert ends.relay.failure is not None
    assert (ends.relay.failure.reason, ends.relay.failure.message) == ("broken", message)


def test_normal_close_is_no_failure(ends: Ends) -> None:
    ends.send(0x88, (1000).to_bytes(2, "big"))
    ends.relay.move()
    assert ends.relay.is_done
    assert ends.relay.failure is None


def test_invalid_frame_is_broken(ends: Ends) -> None:
    ends.server.sendall(b"\x82\x7f" + (2**40).to_bytes(8, "big"))
    ends.relay.move()
    assert ends.relay.failure is not None
    assert ends.relay.failure.message.startswith("the port-forward: the API server sent an invalid frame: ")


REFUSED = (
    'failed to connect to localhost:9 inside namespace "x", IPv4: dial tcp4 127.0.0.1:9:'
    " connect: connection refused"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (REFUSED, "refused"),
        ("network namespace for sandbox is closed: not running", "not_found"),
        ("exit status 137", "broken"),
    ],
)
def test_kubelet_errors_have_their_reason(text: str, reason: str) -> None:
    assert kubelet_error("the port-forward", text).reason == reason
