# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port-forwards against a fake API server: data in both directions, and the reasons of failures."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import Relay


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as server:
        yield server


@pytest.fixture
def echo() -> Iterator[int]:
    """Return the port of a server that sends back what it receives."""
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
        assert time.monotonic() < deadline, "the condition is not true after 5 s"
        time.sleep(0.005)


def test_large_data_arrives_complete_in_both_directions(api_server: FakeApiServer, echo: int) -> None:
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


def test_slow_reader_loses_nothing(api_server: FakeApiServer, echo: int) -> None:
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


def test_reader_that_does_not_read_stops_the_relay(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
        connection.setblocking(False)
        for _piece in range(500):
            with suppress(BlockingIOError):
                connection.send(bytes(65_536))
            time.sleep(0.001)
        until(lambda: len(connection.relay.to_local) > 100_000)
        # Otherwise the thread would run without a pause.
        until(lambda: not connection.relay.awaited_events()[0] & selectors.EVENT_READ)
        assert len(connection.relay.to_local) < 1_000_000


def test_handshake_has_the_token_and_the_protocol(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster:
        cluster.forward("web", 80).close()
    request, query, _body, headers = api_server.requests[0]
    assert (request, query) == ("GET /api/v1/namespaces/demo/pods/web/portforward", {"ports": ["80"]})
    assert headers["authorization"] == "Bearer secret-token"
    assert headers["sec-websocket-protocol"] == "v4.channel.k8s.io"


def test_handshake_has_the_impersonated_user(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options(impersonate_user="jane", impersonate_groups=["a", "b"])) as cluster:
        cluster.forward("web", 80).close()
    headers = api_server.requests[0][3]
    assert (headers["impersonate-user"], headers["impersonate-group"]) == ("jane", "a, b")


def test_port_without_listener_is_refused_at_the_first_read(api_server: FakeApiServer) -> None:
    with connect(api_server.options()) as cluster, cluster.forward("web", 81) as connection:
        connection.settimeout(5)
        assert connection.recv(10) == b""
        failure = connection.failure
    assert failure is not None
    assert failure.reason == "refused"
    assert "port 81 of Pod web in namespace demo: nothing listens" in failure.message


def test_cut_connection_is_broken(api_server: FakeApiServer, echo: int) -> None:
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


def test_end_by_the_pod_is_no_failure(api_server: FakeApiServer) -> None:
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


def test_missing_pod_is_not_found(api_server: FakeApiServer) -> None:
    missing = {"kind": "Status", "message": 'pods "web" not found'}
    api_server.respond("GET /api/v1/namespaces/demo/pods/web/portforward", missing, 404)
    with connect(api_server.options()) as cluster, pytest.raises(ClusterError) as error:
        cluster.forward("web", 80)
    assert error.value.reason == "not_found"


def test_http_client_uses_a_port_forward(api_server: FakeApiServer) -> None:
    host, port = "127.0.0.1", api_server.server.server_port
    api_server.respond("GET /hello", {"x": 1})
    api_server.ports["web:80"] = port
    with connect(api_server.options()) as cluster:
        client = http.client.HTTPConnection(host)
        client.sock = cluster.forward("web", 80)
        client.request("GET", "/hello")
        assert client.getresponse().read() == b'{"x": 1}'
        client.close()


def test_100_port_forwards_leave_no_thread_and_no_descriptor(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports.update({f"web-{number}:80": echo for number in range(100)})
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()

    def echo_number(number: int) -> bytes:
        with cluster.forward(f"web-{number}", 80) as connection:
            connection.settimeout(10)
            connection.sendall(b"%d" % number)
            return connection.recv(10)

    with connect(api_server.options()) as cluster, ThreadPoolExecutor(100) as pool:
        responses = list(pool.map(echo_number, range(100)))
    assert responses == [b"%d" % number for number in range(100)]
    for one in api_server.forwards:
        one.close()
    until(lambda: threading.active_count() <= threads)
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


def test_thread_ends_with_the_last_port_forward(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo

    def relay_threads() -> int:
        return sum(one.name == "port-forward" for one in threading.enumerate())

    with connect(api_server.options()) as cluster:
        assert relay_threads() == 0
        first, second = cluster.forward("web", 80), cluster.forward("web", 80)
        assert relay_threads() == 1
        first.close()
        second.close()
        until(lambda: relay_threads() == 0)
        with cluster.forward("web", 80) as third:
            third.settimeout(5)
            third.sendall(b"again")
            assert third.recv(10) == b"again"


def test_closed_cluster_ends_its_port_forwards(api_server: FakeApiServer, echo: int) -> None:
    api_server.ports["web:80"] = echo
    cluster = connect(api_server.options())
    connection = cluster.forward("web", 80)
    cluster.close()
    connection.settimeout(5)
    assert connection.recv(1) == b""
    connection.close()


def test_exception_in_the_thread_ends_all_port_forwards(
    api_server: FakeApiServer, echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_server.ports["web:80"] = echo
    with connect(api_server.options()) as cluster:
        first, second = cluster.forward("web", 80), cluster.forward("web", 80)
        for one in (first, second):
            # The relay is idle after this exchange.
            one.settimeout(5)
            one.sendall(b"x")
            assert one.recv(10) == b"x"

        def broken(_line: Any) -> None:
            raise KeyError("unexpected")

        monkeypatch.setattr(Relay, "move", broken)
        first.sendall(b"x")
        for one in (first, second):
            assert one.recv(1) == b""
            failure = one.failure
            assert failure is not None
            assert failure.reason == "broken"
            assert (
                "this is a bug in meshlab.envoy, please report it: KeyError: 'unexpected'" in failure.message
            )
            one.close()
        monkeypatch.undo()
        with cluster.forward("web", 80) as third:
            third.settimeout(5)
            third.sendall(b"again")
            assert third.recv(10) == b"again"
