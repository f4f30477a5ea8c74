# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port-forwards against a stand-in for the API server: bytes both ways, and what can go wrong told apart."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server

from ansible_collections.meshlab.envoy.plugins.module_utils._common import websocket_frames
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import (
    Relay,
    kubelet_error,
)


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as one:
        yield one


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that sends back what it is sent."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while data := connection.recv(65_536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "not within 5 s"
        time.sleep(0.005)


def test_what_is_sent_arrives_and_comes_back_whole(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    data = os.urandom(3_000_000)
    with connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
        connection.settimeout(10)
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        received = bytearray()
        while len(received) < len(data):
            received += connection.recv(65_536)
        sender.join()
    assert bytes(received) == data


def test_a_reader_that_is_slow_holds_the_sender_up_and_loses_nothing(
    api_server: FakeApiServer, echo: int
) -> None:
    api_server.ports["web:80"] = echo
    data = os.urandom(2_000_000)
    with connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
        connection.settimeout(10)
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        received = bytearray()
        while len(received) < len(data):
            received += connection.recv(700)
        sender.join()
    assert bytes(received) == data


def test_for_a_reader_that_does_not_read_nothing_more_is_read(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
        connection.setblocking(False)
        for _piece in range(500):
            with suppress(BlockingIOError):
                connection.send(bytes(65_536))
            time.sleep(0.001)
        until(lambda: len(connection.relay.to_local) > 100_000)
        # Else its thread would go round and round.
        until(lambda: not connection.relay.awaited_events()[0] & selectors.EVENT_READ)
        assert len(connection.relay.to_local) < 1_000_000


@pytest.fixture
def line() -> Iterator[tuple[Relay, socket.socket, socket.socket]]:
    """A line by itself, with the far ends of both its sides."""
    with ExitStack() as stack:
        ends = [stack.enter_context(one) for _two in range(2) for one in socket.socketpair()]
        for one in ends:
            one.settimeout(1)
        yield Relay("the line", ends[0], ends[2], b""), ends[1], ends[3]


def test_a_message_in_pieces_belongs_to_one_channel(
    line: tuple[Relay, socket.socket, socket.socket],
) -> None:
    between, server, user = line
    for head, payload in (
        (0x82, b"\0\x50\0"),
        (0x02, b"\0ab"),
        (0x00, b"\0cd"),
        (0x80, b"\1ef"),
        (0x89, b"hi"),
    ):
        server.sendall(bytes([head, len(payload)]) + payload)
    between.move()
    assert user.recv(100) == b"ab\0cd\1ef"
    assert list(websocket_frames.frames(bytearray(server.recv(100)))) == [(websocket_frames.PONG, b"hi")]


def test_what_was_not_sent_on_does_not_make_the_end_a_reset(
    line: tuple[Relay, socket.socket, socket.socket],
) -> None:
    between, _server, user = line
    user.sendall(b"too late")
    between.close()
    assert user.recv(1) == b""


def test_it_asks_with_the_token(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster:
        cluster.forward("web", 80).close()
    request, query, _body, headers = api_server.requests[0]
    assert (request, query) == ("GET /api/v1/namespaces/demo/pods/web/portforward", {"ports": ["80"]})
    assert headers["authorization"] == "Bearer secret-token"
    assert headers["sec-websocket-protocol"] == "v4.channel.k8s.io"


def test_forward_with_a_wrong_accept_key_is_refused(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    api_server.accept_key = "c3VyZWx5IG5vdCB0aGlzIG9uZQ=="
    with connect(api_server.options()) as cluster, pytest.raises(ClusterError) as error:
        cluster.forward("web", 80)
    assert error.value.reason == "server"
    assert "expected sec-websocket-accept " in error.value.message
    assert "got c3VyZWx5IG5vdCB0aGlzIG9uZQ==" in error.value.message


def test_it_asks_as_who_is_impersonated(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options(impersonate_user="her", impersonate_groups=["a", "b"])) as cluster:
        cluster.forward("web", 80).close()
    headers = api_server.requests[0][3]
    assert (headers["impersonate-user"], headers["impersonate-group"]) == ("her", "a, b")


def test_a_port_that_nobody_listens_on_is_said_when_nothing_can_be_read(api_server: FakeApiServer) -> None:
    with connect(api_server.options()) as cluster, cluster.forward("web", 81) as connection:
        connection.settimeout(5)
        assert connection.recv(10) == b""
        failure = connection.failure
    assert failure is not None
    assert failure.reason == "refused"
    assert "port 81 of Pod web in namespace demo: nothing listens" in failure.message


def test_a_connection_that_is_cut_is_told_from_one_that_ends(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
        connection.settimeout(5)
        connection.sendall(b"x")
        assert connection.recv(10) == b"x"
        api_server.forwards[0].shutdown(socket.SHUT_RDWR)
        assert connection.recv(10) == b""
        failure = connection.failure
    assert failure is not None
    assert failure.reason == "broken"
    assert "was cut" in failure.message


def test_an_end_that_the_pod_chose_is_no_failure(api_server: FakeApiServer) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    api_server.ports["web:80"] = server.getsockname()[1]
    with server, connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
        connection.settimeout(5)
        other = server.accept()[0]
        other.sendall(b"bye")
        other.close()
        assert connection.recv(10) == b"bye"
        assert connection.recv(10) == b""
        assert connection.failure is None


def test_a_pod_that_is_not_there_is_not_found(api_server: FakeApiServer) -> None:
    words = {"kind": "Status", "message": 'pods "web" not found'}
    api_server.respond("GET /api/v1/namespaces/demo/pods/web/portforward", words, 404)
    with connect(api_server.options()) as cluster, pytest.raises(ClusterError) as error:
        cluster.forward("web", 80)
    assert error.value.reason == "not_found"


def test_http_client_can_use_it(api_server: FakeApiServer) -> None:
    host, port = "127.0.0.1", api_server.server.server_port
    api_server.respond("GET /hello", {"x": 1})
    api_server.ports["web:80"] = port
    with connect(api_server.options()) as cluster:
        client = http.client.HTTPConnection(host)
        client.sock = cluster.forward("web", 80)
        client.request("GET", "/hello")
        assert client.getresponse().read() == b'{"x": 1}'
        client.close()


def test_a_hundred_side_by_side_leave_no_thread_and_no_descriptor(
    api_server: FakeApiServer, echo: int
) -> None:
    api_server.ports.update({f"web-{number}:80": echo for number in range(100)})
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()

    def ask(number: int) -> bytes:
        with cluster.forward(f"web-{number}", 80) as connection:
            connection.settimeout(10)
            connection.sendall(b"%d" % number)
            return connection.recv(10)

    with connect(api_server.options()) as cluster, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    assert answers == [b"%d" % number for number in range(100)]
    for one in api_server.forwards:
        one.close()
    until(lambda: threading.active_count() <= threads)
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


def test_the_thread_is_there_while_there_are_connections_only(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo

    def pumps() -> int:
        return sum(one.name == "port-forward" for one in threading.enumerate())

    with connect(api_server.options()) as cluster:
        assert pumps() == 0
        first, second = cluster.forward("web", 80), cluster.forward("web", 80)
        assert pumps() == 1
        first.close()
        second.close()
        until(lambda: pumps() == 0)
        with cluster.forward("web", 80) as third:
            third.settimeout(5)
            third.sendall(b"again")
            assert third.recv(10) == b"again"


def test_a_closed_cluster_ends_its_connections(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    cluster = connect(api_server.options())
    connection = cluster.forward("web", 80)
    cluster.close()
    connection.settimeout(5)
    assert connection.recv(1) == b""
    connection.close()


def test_a_mistake_of_the_thread_leaves_nobody_waiting(
    api_server: FakeApiServer, echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster:
        first, second = cluster.forward("web", 80), cluster.forward("web", 80)
        for one in (first, second):
            # Nothing is under way any more.
            one.settimeout(5)
            one.sendall(b"x")
            assert one.recv(10) == b"x"

        def broken(_line: Any) -> None:
            raise KeyError("nobody thought of this")

        monkeypatch.setattr(Relay, "move", broken)
        first.sendall(b"x")
        for one in (first, second):
            assert one.recv(1) == b""
            failure = one.failure
            assert failure is not None
            assert failure.reason == "broken"
            assert (
                "this is a bug in meshlab.envoy, please report it: KeyError: 'nobody thought of this'"
                in failure.message
            )
            one.close()
        monkeypatch.undo()
        with cluster.forward("web", 80) as third:
            third.settimeout(5)
            third.sendall(b"again")
            assert third.recv(10) == b"again"


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_frames_of_every_length_are_read_back_in_pieces(length: int) -> None:
    payload = os.urandom(length)
    data = websocket_frames.frame(websocket_frames.BINARY, payload) + websocket_frames.frame(
        websocket_frames.PING, b"x"
    )
    inbox, seen = bytearray(), []
    step = max(1, len(data) // 7)
    for start in range(0, len(data), step):
        inbox += data[start : start + step]
        seen += list(websocket_frames.frames(inbox))
    assert seen == [(websocket_frames.BINARY, payload), (websocket_frames.PING, b"x")]
    assert not inbox


def test_a_frame_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        list(websocket_frames.frames(bytearray(b"\x82\x7f" + (2**40).to_bytes(8, "big"))))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('failed to connect to localhost:9 inside namespace "x", IPv4: dial tcp4 127.0.0.1:9: connect: connection refused', "refused"),
        ("network namespace for sandbox is closed: not running", "not_found"),
        ("exit status 137", "broken"),
    ],
)  # fmt: skip
def test_what_the_kubelet_says_is_told_apart(said: str, reason: str) -> None:
    assert kubelet_error("the port-forward", said).reason == reason
