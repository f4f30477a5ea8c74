# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of errors of a connection, and the connection that is opened again."""

from __future__ import annotations

import socket
import ssl
import time

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    KeptConnection,
    RequestError,
    connect,
    connection_error,
    first_bytes,
    receive,
    seconds_left,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def test_no_time_left_is_a_timeout() -> None:
    assert 0 < seconds_left(time.monotonic() + 5) <= 5
    with pytest.raises(RequestError, match="no complete answer within the timeout") as caught:
        seconds_left(time.monotonic())
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    ("url", "kind", "error"),
    [
        ("http://127.0.0.1:1/", "connect", "cannot connect to 127.0.0.1:1: connection refused"),
        ("http://missing.invalid/", "connect", "cannot connect to missing.invalid:80: "),
    ],
)
def test_refused_connections_are_connect_errors(url: str, kind: str, error: str) -> None:
    [traffic] = parse_traffic([{"url": url}])
    with pytest.raises(RequestError) as caught:
        connect(traffic, time.monotonic() + 30, None)
    assert caught.value.kind == kind
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConnectionResetError(104, "Connection reset by peer"), "reset"), (ssl.SSLError(1, "alert"), "tls")],
)
def test_errors_of_open_connections_are_classified(error: OSError, kind: str) -> None:
    assert connection_error(error).kind == kind


def test_closed_connection_has_no_first_bytes() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert first_bytes(ours, b"request", time.monotonic() + 5) == b""


def test_silent_connection_times_out() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(RequestError) as caught:
        receive(ours, time.monotonic() + 0.01)
    assert caught.value.kind == "timeout"


def test_broken_kept_connection_is_opened_again_once() -> None:
    answers: list[Answer | None] = [Answer(200, {}), None, Answer(201, {}), None, None]

    class FakeClient(KeptConnection):
        def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
            return answers.pop(0)

    with socket.create_server(("127.0.0.1", 0)) as server:
        [traffic] = parse_traffic([{"url": f"http://127.0.0.1:{server.getsockname()[1]}/"}])
        client = FakeClient(traffic, None)
        assert [client.exchange(time.monotonic() + 5).status for _request in range(2)] == [200, 201]
        assert (client.connections, client.retries) == (2, 1)
        with pytest.raises(RequestError, match="the server closed the connection before it answered"):
            client.exchange(time.monotonic() + 5)
        client.close()
