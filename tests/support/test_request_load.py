# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the load generator: which requests it counts as failed, and which ones it resends as a client must."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from http_service import http_service
from load_connections import Http1Client, Http2Client, Target
from request_load import Lane, RequestLoad

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


@contextmanager
def server(*connections: Callable[[socket.socket], None]) -> Iterator[Target]:
    """Serve one connection after another, each with its function; then refuse connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()

        def serve() -> None:
            for one in connections:
                connection, _peer = listening.accept()
                with connection:
                    one(connection)
            listening.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield Target(*address, timeout=5)
        thread.join(10)


def answering(*answers: bytes) -> Callable[[socket.socket], None]:
    """Return a function that answers one request after another, and then closes the connection."""

    def serve(connection: socket.socket) -> None:
        for answer in answers:
            received = b""
            while not received.endswith(b"\r\n\r\n"):
                received += connection.recv(4096)
            connection.sendall(answer)

    return serve


def test_status_other_than_200_is_a_failure() -> None:
    with server(answering(OK, UNAVAILABLE)) as target:
        client = Http1Client(target, keep=True)
        assert client.exchange(["/", "/"]) == ["", "status 503 (busy)"]
        client.close()


def test_request_on_a_closed_kept_connection_is_resent() -> None:
    with server(answering(OK), answering(OK)) as target:
        client = Http1Client(target, keep=True)
        assert client.exchange(["/", "/"]) == ["", ""]
        assert client.resent == 1
        client.close()


def test_closed_new_connection_is_a_failure() -> None:
    with server(answering(b"")) as target:
        assert Http1Client(target, keep=True).exchange(["/"]) == ["closed before the response"]


def test_response_that_ends_early_is_a_failure() -> None:
    with server(answering(OK, OK[:-1])) as target:
        client = Http1Client(target, keep=True)
        assert client.exchange(["/", "/"]) == ["", "closed in the body"]
        assert client.resent == 0


def test_refused_connection_is_a_failure() -> None:
    with server() as target:
        pass
    assert Http1Client(target, keep=False).exchange(["/"]) == ["connect: Connection refused"]


def http2_connection(last: int) -> Callable[[socket.socket], None]:
    """Return a server of one connection that processes the stream `last` only, and names it in a GOAWAY before its response."""

    def serve(connection: socket.socket) -> None:
        protocol = H2Connection(H2Configuration(client_side=False))
        protocol.initiate_connection()
        response = b""
        while not response and (data := connection.recv(65536)):
            accepted = [
                one.stream_id for one in protocol.receive_data(data) if isinstance(one, RequestReceived)
            ]
            connection.sendall(protocol.data_to_send())
            if last in accepted:
                protocol.send_headers(last, [(":status", "200")], end_stream=True)
                response = protocol.data_to_send()
                protocol.close_connection(last_stream_id=last)
                connection.sendall(protocol.data_to_send() + response)
        connection.recv(1)

    return serve


def test_streams_beyond_goaway_are_resent() -> None:
    with server(http2_connection(last=1), http2_connection(last=1)) as target:
        client = Http2Client(target, keep=True)
        assert client.exchange(["/", "/"]) == ["", ""]
        assert client.resent == 1
        client.close()


def test_http2_connection_closed_without_goaway_is_a_failure() -> None:
    with server(lambda connection: connection.recv(65536) and None) as target:
        causes = Http2Client(target, keep=True).exchange(["/", "/"])
    assert len(causes) == 2
    assert all("read: " in cause for cause in causes)


def test_failures_are_counted_by_change() -> None:
    with http_service("127.0.0.1") as port:
        lanes = [Lane("kept", "127.0.0.1", port, ("/",)), Lane("new", "127.0.0.1", port, ("/",), keep=False)]
        with RequestLoad(lanes) as load:
            load.begin("first")
            first = load.settled(least=20)
            load.begin("second")
            second = load.settled(least=1)
    assert first.requests >= 20
    assert second.requests >= 20  # ten of each lane
    assert first.failed == second.failed == 0
    with RequestLoad([Lane("refused", "127.0.0.1", port, ("/",))]) as load:
        load.begin("third")
        third = load.settled(least=5)
    assert third.failed == third.requests
    assert list(third.failures) == ["refused: connect: Connection refused"]
