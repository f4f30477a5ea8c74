# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of one admin interface, with and without an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_streams import FakeConnector, FakeStream

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import (
    AdminClient,
    BlockingAdminClient,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure, ScrapeError

(EDGE,) = parse_endpoints([{"name": "edge", "url": "http://edge/admin"}])
(CONTAINER,) = parse_endpoints([{"name": "web", "container": "web"}])


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class FailingStream(FakeStream):
    """Fails at each request."""

    def __init__(self, error: Exception, output: str = "", event: threading.Event | None = None) -> None:
        super().__init__()
        self._error, self._output, self._event = error, output, event

    async def send(self, data: bytes) -> None:
        raise self._error

    def error_output(self) -> str:
        """Return the output; nothing if the event loop had no turn meanwhile."""
        return self._output if self._event is None or self._event.wait(5) else ""


def failure(*streams: Stream, endpoint: object = EDGE, path: str = "/ready") -> Failure:
    async def run() -> Failure | None:
        client = AdminClient(endpoint, FakeConnector(*streams))  # type: ignore[arg-type]

        async def get() -> None:
            await client.get(path)

        return await client.failure_of(get(), 5)

    found = asyncio.run(run())
    for stream in streams:
        stream.close()
    assert found is not None
    return found


def test_request_adds_path_of_the_url() -> None:
    async def run() -> tuple[bytes, int]:
        client = AdminClient(EDGE, FakeConnector(stream))
        answer = await client.request("/healthcheck/fail")
        client.close()
        return answer.body, client.transferred

    stream = FakeStream(response(b"OK\n"))
    assert asyncio.run(run()) == (b"OK\n", 3)
    assert stream.requests[0].startswith(b"POST /admin/healthcheck/fail HTTP/1.1\r\nhost: edge\r\n")


def test_kept_connection_that_was_closed_is_replaced() -> None:
    async def run() -> bytes:
        client = AdminClient(EDGE, FakeConnector(closed, new))
        await client.request("/one")
        answer = await client.request("/two")
        client.close()
        return answer.body

    closed, new = FakeStream(response(b"1"), b""), FakeStream(response(b"2"))
    assert asyncio.run(run()) == b"2"
    assert (closed.paths, new.paths) == (["/admin/one", "/admin/two"], ["/admin/two"])


def test_new_connection_that_is_closed_fails() -> None:
    found = failure(FakeStream(b""))
    assert (found.kind, found.message) == (
        "unreachable",
        "http://edge: the connection was closed without a response",
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            response(b"", "403 Forbidden"),
            "/ready returned status 403; add the page to admin.allow_paths, as a prefix",
        ),
        (response(b"", "404 Not Found"), "/ready returned status 404; is this Envoy's admin interface"),
        (
            response(b"", "301 Moved", "location: https://x/?token=1"),
            "status 301, a redirect to 'https://x/', which",
        ),
        (response(b"bad regex", "400 Bad Request"), "/ready returned status 400: 'bad regex'"),
        (response(b"oops", "500 Oops"), "/ready returned status 500"),
    ],
)
def test_get_refuses_other_statuses(answer: bytes, message: str) -> None:
    found = failure(FakeStream(answer))
    assert found.kind == "http_status"
    assert message in found.message


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            ConnectionResetError(104, "Connection reset by peer"),
            "unreachable",
            "http://edge: connection reset by peer",
        ),
        (ScrapeError("unparsable", "no"), "unparsable", "http://edge: no"),
        (KeyError("x"), "unparsable", "http://edge: the response cannot be parsed (KeyError: 'x')"),
    ],
)
def test_each_error_becomes_a_failure(error: Exception, kind: str, message: str) -> None:
    assert failure(FailingStream(error)) == Failure(kind, message)


def test_timeout_becomes_a_failure() -> None:
    async def run() -> Failure | None:
        return await AdminClient(EDGE, FakeConnector()).failure_of(asyncio.sleep(60), 0.01)

    assert asyncio.run(run()) == Failure("timeout", "http://edge: no complete response within 0.01 s")


def test_container_error_is_read_in_a_thread() -> None:
    async def run() -> Failure | None:
        turn = threading.Event()
        stream = FailingStream(EOFError(), "No such container", turn)
        client = AdminClient(CONTAINER, FakeConnector(stream))
        asyncio.get_running_loop().call_later(0.05, turn.set)

        async def get() -> None:
            await client.get("/ready")

        return await client.failure_of(get(), 5)

    found = asyncio.run(run())
    assert found is not None
    assert found.message.endswith(": there is no container named web")


@contextlib.contextmanager
def admin(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """Serve these answers on a Unix socket, one for each connection, and yield the requests."""
    requests: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                with listener.accept()[0] as connection:
                    requests.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield requests
        thread.join(5)


def test_blocking_client_gets_and_posts(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    answers = [
        response(b"LIVE\n"),
        response(b'{"a": 1}'),
        response(b"OK\n"),
        response(b"DRAINING\n", "503 x"),
    ]
    client = BlockingAdminClient.at(f"unix://{path}")
    with admin(path, *answers) as requests:
        assert client.get_text("/ready", timeout=5) == "LIVE\n"
        assert client.get_json("/a", timeout=5) == {"a": 1}
        assert client.post("/healthcheck/fail", timeout=5) == "OK\n"
        assert client.get_text("/ready", timeout=5, accept=(200, 503)) == "DRAINING\n"
    assert [request.split(b" HTTP")[0] for request in requests] == [
        b"GET /ready",
        b"GET /a",
        b"POST /healthcheck/fail",
        b"GET /ready",
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (response(b"", "403 Forbidden"), "http_status", "returned status 403"),
        (response(b"<html>"), "unparsable", "not JSON"),
        (b"", "unreachable", "closed without a response"),
    ],
)
def test_blocking_client_raises(tmp_path: Path, answer: bytes, kind: str, message: str) -> None:
    path = tmp_path / "admin.sock"
    with admin(path, answer), pytest.raises(ScrapeError, match=message) as raised:
        BlockingAdminClient.at(f"unix://{path}").get_json("/a", timeout=5)
    assert raised.value.kind == kind
    assert raised.value.message.startswith(f"unix://{path}: ")
    assert not raised.value.denied


def test_blocking_post_refuses_other_statuses(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with admin(path, response(b"", "405 x")), pytest.raises(ScrapeError, match="/quit returned status 405"):
        BlockingAdminClient.at(f"unix://{path}").post("/quit", timeout=5)


def test_blocking_client_times_out(tmp_path: Path) -> None:
    path = str(tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(ScrapeError, match="no complete response within") as raised:
            BlockingAdminClient.at(f"unix://{path}").get_text("/ready", timeout=0.05)
    assert raised.value.kind == "timeout"


def test_blocking_client_distinguishes_denied_and_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = BlockingAdminClient.at(f"unix://{tmp_path}/admin.sock")
    with pytest.raises(ScrapeError, match="the socket does not exist") as raised:
        client.get_text("/ready", timeout=5)
    assert not raised.value.denied

    def refuse(_connection: socket.socket, _address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ScrapeError, match="no permission to connect to the socket") as raised:
        client.get_text("/ready", timeout=5)
    assert (raised.value.kind, raised.value.denied) == ("unreachable", True)


def test_blocking_client_refuses_a_wrong_url() -> None:
    with pytest.raises(ArgumentError, match="has no supported scheme"):
        BlockingAdminClient.at("ftp://x")
