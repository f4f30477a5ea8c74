# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are slow, wrong or hostile, on real sockets: each causes a failure with a message, in time and in little memory."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_envoy import run

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Limits,
    Outcome,
    Page,
    Selection,
    Snapshot,
    parse_assertions,
    parse_endpoints,
    wait_for,
)
from ansible_collections.meshlab.envoy.plugins.modules import envoy_stats

Behaviour = Callable[[socket.socket], None]
Server = Callable[[Behaviour], str]
LIVE = {"stat": "server.live", "op": "eq", "value": 1}
GOOD = b'{"stats":[{"name":"server.live","value":1}]}'


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a function that starts a server: it calls a behaviour for each connection after the request arrived."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(behaviour: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def handle(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(200)
                connection.recv(65536)
                behaviour(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(25)


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


# Seconds of a deadline. On a machine that is busy for longer, the next one is tried.
DEADLINES = (1.5, 20.0, 60.0)


def sends(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def hangs(connection: socket.socket) -> None:
    """Send nothing until the client closes the connection."""
    while connection.recv(65536):
        pass


def read(
    url: str, *assertions: dict[str, Any], timeout: float = 10.0, max_bytes: int = 1_000_000, **endpoint: Any
) -> Outcome:
    endpoints = parse_endpoints([{"name": "odd", "url": url, **endpoint}])
    limits = Limits(request_timeout=timeout, max_bytes=max_bytes)
    return wait_for(
        endpoints, parse_assertions(assertions or [LIVE]), wait=False, limits=limits, identity=False
    )


def test_good_response_is_read(server: Server) -> None:
    assert read(server(sends(response(GOOD)))).ok


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + GOOD + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n" + GOOD + b"\n\n",
        b"HTTP/1.1 200 OK\r\nx: y\n\r\n" + GOOD + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("parts", [1, 7])
def test_head_ends_with_an_empty_line(server: Server, data: bytes, parts: int) -> None:
    def in_parts(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = -(-len(data) // parts)
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
            time.sleep(0.01)  # mostly enough to come alone; the test holds if not

    assert read(server(in_parts)).ok


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"", "unreachable", "closed without a response"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unparsable", "is not HTTP/1"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "unparsable", "the server uses TLS; use https://"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "unparsable", "is not HTTP/1"),
        (response(b"<html><body>Hello</body></html>"), "unparsable", "it begins with '<html>"),
        (response(GOOD[:-5]), "unparsable", "is not JSON"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + GOOD, "unparsable", "cut off"),
        (CHUNKED + b'5\r\n{"sta', "unparsable", "cut off"),
        (CHUNKED + b"nonsense\r\n", "unparsable", "a chunk of the response has no size"),
        (CHUNKED + b"-5\r\n" + GOOD, "unparsable", "a chunk of the response has no size"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "unparsable",
            "content-length of the response is not a number",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: \xb2\r\n\r\n",
            "unparsable",
            "content-length of the response is not a number",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n",
            "unparsable",
            "content-length of the response is not a number",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", "too_large", "10000000000 bytes"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", "too_large", "head"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000, "too_large", "head"),
        (response(b"no", status="403 Forbidden"), "http_status", "allow_paths"),
        (response(b"", status="404 Not Found"), "http_status", "is this Envoy's admin"),
        (response(b"", status="500 Oops"), "http_status", "returned status 500"),
        (
            response(b"", "location: http://127.0.0.2:1/", status="302 Found"),
            "http_status",
            "a redirect to 'http://127.0.0.2:1/', which is not followed",
        ),
        (response(GOOD, "content-encoding: gzip"), "unparsable", "is labelled gzip but is not gzip"),
        (
            response(gzip.compress(GOOD)[:-9], "content-encoding: gzip"),
            "unparsable",
            "the gzip data of the response is cut off",
        ),
        (response(GOOD, "content-encoding: br"), "unparsable", "compressed with 'br'"),
        (response(b"[]"), "unparsable", "not Envoy's"),
        (response(b"\xff\xfe\x00"), "unparsable", "is not JSON"),
        (response(b'{"stats":[]}'), "absent", "it does not exist"),
        (response(b'{"stats":[{"name":"server.live","value":null}]}'), "absent", "it does not exist"),
        (response(b'{"stats":[{"name":"server.live","value":NaN}]}'), "absent", "it does not exist"),
        (
            response(b'{"stats":[{"name":"server.live","value":36893488147419103232}]}'),
            "comparison",
            "got 36893488147419103232",
        ),
    ],
)
def test_failure_has_a_kind_and_a_message(server: Server, data: bytes, kind: str, text: str) -> None:
    outcome = read(server(sends(data)))
    assert not outcome.ok
    assert (outcome.failure, text in outcome.message) == (kind, True), outcome.message
    assert "\n" not in outcome.message
    assert len(outcome.message) < 500


def test_response_that_drips_times_out(server: Server) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in response(GOOD):
            connection.sendall(bytes([byte]))
            time.sleep(0.5)

    outcome = read(server(drip), timeout=1)
    assert outcome.failure == "timeout"
    assert "no complete response" in outcome.message


def test_response_in_many_chunks_delays_no_other(server: Server) -> None:
    def crumble(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        while True:
            connection.sendall(b"1\r\n \r\n" * 10_000)

    odd, good = server(crumble), server(sends(response(GOOD)))
    endpoints = parse_endpoints([{"name": "odd", "url": odd}, {"name": "good", "url": good}])
    for deadline in DEADLINES:
        limits = Limits(request_timeout=deadline, max_bytes=1_000_000_000)
        outcome = wait_for(endpoints, parse_assertions([LIVE]), wait=False, limits=limits, identity=False)
        failures = {page.name: page.failure and page.failure.kind for page in outcome.snapshot.pages.values()}
        assert failures["odd"] == "timeout"
        if failures["good"] is None:
            break
    assert failures["good"] is None


@pytest.mark.parametrize(
    "odd",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: \xb2\r\n\r\n",
        response(b'{"stats":[{"histograms":[{"name":[],"buckets":[]}]}]}'),
        response(b'{"stats":[{"name":"server.live","value":1' + b"0" * 350 + b"}]}"),
    ],
)
def test_odd_response_affects_no_other_endpoint(server: Server, odd: bytes) -> None:
    urls = {"odd": server(sends(odd)), "good": server(sends(response(GOOD)))}
    endpoints = parse_endpoints([{"name": name, "url": url} for name, url in urls.items()])
    about = [
        {"match": "server.live", "endpoint": "*", "across": "avg", "op": "ge", "value": 0},
        {"match": ".*h", "endpoint": "*", "quantile": 0.5, "op": "ge", "value": 0},
        {**LIVE, "endpoint": "good"},
    ]
    outcome = wait_for(endpoints, parse_assertions(about), wait=False, identity=False)
    assert outcome.verdicts[2].ok
    json.dumps(outcome.as_data(), allow_nan=False)


def test_server_that_accepts_nothing_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        outcome = read(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=1)
        assert outcome.failure == "timeout"
    assert read("http://127.0.0.1:1").failure == "unreachable"
    nowhere = read("http://no-such-host.invalid:1", timeout=20)
    assert nowhere.failure == "unreachable"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the addresses of `several.example`, in this order."""
    real = socket.getaddrinfo

    def name(*addresses: tuple[str, int]) -> None:
        found = [real(host, port, type=socket.SOCK_STREAM)[0] for host, port in addresses]

        def look_up(host: Any, *arguments: Any, **more: Any) -> Any:
            return found if host == "several.example" else real(host, *arguments, **more)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return name


def test_each_address_of_a_name_is_tried(server: Server, named: Callable[..., None]) -> None:
    """For `localhost`, ::1 comes first, and the admin can listen on 127.0.0.1."""
    port = int(server(sends(response(GOOD))).rpartition(":")[2])
    named(("::1", port), ("127.0.0.1", port))
    # The connection is not kept: the second request begins with the address that worked.
    outcome = read(f"http://several.example:{port}", LIVE, {"stat": "server.live", "op": "present"})
    assert outcome.ok, outcome.message
    named(("::1", 1), ("127.0.0.1", 1))
    assert "connection refused" in read("http://several.example:1").message


def test_silent_address_leaves_time_for_the_next(server: Server, named: Callable[..., None]) -> None:
    port = int(server(sends(response(GOOD))).rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _number in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        named(full.getsockname(), ("127.0.0.1", port))
        began = time.monotonic()
        outcome = read(f"http://several.example:{port}", timeout=10)
        assert outcome.ok, outcome.message
        assert time.monotonic() - began < 5
        for one in waiting:
            one.close()


def test_unix_socket_with_a_full_queue_connects_later(tmp_path: Path) -> None:
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        first = socket.socket(socket.AF_UNIX)
        first.connect(path)  # fills the queue

        def serve() -> None:
            time.sleep(0.4)
            for _number in range(2):
                with listener.accept()[0] as connection:
                    if connection.recv(65536):
                        connection.sendall(response(GOOD))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threading.Timer(0.5, first.close).start()
        assert read(f"unix://{path}", timeout=10).ok
        thread.join(10)


@contextlib.contextmanager
def at_most(size: int) -> Iterator[None]:
    """Fail if more bytes than this were allocated at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("chunked", [False, True])
def test_endless_response_takes_little_memory(server: Server, chunked: bool) -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(CHUNKED if chunked else b"HTTP/1.1 200 OK\r\n\r\n")
        piece = b" " * 65536
        for _number in range(160_000):  # 10 GB, if the client reads it
            connection.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)

    with at_most(60_000_000):
        outcome = read(server(pour), timeout=20, max_bytes=20_000_000)
    assert outcome.failure == "too_large"
    assert "max_bytes" in outcome.message


def test_gzip_bomb_takes_little_memory(server: Server) -> None:
    bomb = gzip.compress(b" " * 300_000_000, 9)
    url = server(sends(response(bomb, "content-encoding: gzip")))
    with at_most(20_000_000):
        outcome = read(url, timeout=20, max_bytes=5_000_000)
    assert outcome.failure == "too_large"


def test_gzip_is_decompressed(server: Server) -> None:
    assert read(server(sends(response(gzip.compress(GOOD), "content-encoding: gzip")))).ok


@pytest.mark.parametrize(
    "name",
    [
        "a b.c",
        'a"quote',
        "new\nline",
        "😀.x",
        "x" * 10_000,
        "back\\slash",
        "{brace}",
        "<html>&",
        "täßt",
        "\x00",
        "a.*b(c)[d]|e",
    ],
)
def test_odd_names_are_read(server: Server, name: str) -> None:
    for ascii_only in (True, False):
        body = json.dumps({"stats": [{"name": name, "value": 3}]}, ensure_ascii=ascii_only).encode()
        url = server(sends(response(body)))
        assert read(url, {"stat": name, "op": "eq", "value": 3}).ok
        wrong = read(url, {"stat": name, "op": "eq", "value": 4})
        assert wrong.failure == "comparison"
        json.dumps(wrong.as_data())


def test_bytes_that_are_not_utf8_are_read(server: Server) -> None:
    outcome = read(
        server(sends(response(b'{"stats":[{"name":"a\xff","value":1},{"name":"server.live","value":1}]}')))
    )
    assert outcome.ok
    everything = read(
        server(sends(response(b'{"stats":[{"name":"a\xff\\ud800","value":1}]}'))),
        {"match": ".*", "op": "eq", "value": 1},
    )
    json.dumps(everything.as_data()).encode("utf-8")
    everything.message.encode("utf-8")


def test_https_to_a_plain_server_fails(server: Server) -> None:
    url = server(sends(response(GOOD)))
    outcome = read(url.replace("http:", "https:"))
    assert outcome.failure == "unreachable"
    assert "TLS" in outcome.message


def test_certificate_is_verified(tmp_path: Path) -> None:
    """A self-signed certificate is refused, and accepted with itself as CA or without verification."""
    certificate = tmp_path / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            for _number in range(4):
                raw = listener.accept()[0]
                with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(response(GOOD))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        untrusted = read(url, timeout=10)
        assert untrusted.failure == "unreachable"
        assert "certificate is not trusted" in untrusted.message
        assert "ca_path: /missing" in read(url, ca_path="/missing").message
        assert read(url, timeout=10, ca_path=str(certificate)).ok
        assert read(url, timeout=10, validate_certs=False).ok
        thread.join(10)


def test_slow_endpoints_delay_no_other(server: Server) -> None:
    good, dead = server(sends(response(GOOD))), server(hangs)
    endpoints = parse_endpoints([{"name": f"e{n}", "url": dead if n % 10 == 0 else good} for n in range(60)])
    assertions = parse_assertions(
        [{**LIVE, "endpoint": "e*"}, {**LIVE, "endpoint": "e1"}, {**LIVE, "endpoint": "e0"}]
    )
    # A client that waits for the response instead of the deadline would wait for ten minutes.
    limits = Limits(concurrency=10, request_timeout=600)
    slow = [f"e{n}" for n in range(0, 60, 10)]
    for deadline in DEADLINES:
        outcome = wait_for(endpoints, assertions, timeout=deadline, limits=limits, identity=False)
        failed = [page.name for page in outcome.snapshot.pages.values() if page.failure]
        if failed == slow:
            break
    assert failed == slow
    assert [verdict.ok for verdict in outcome.verdicts] == [False, True, False]


def test_endpoints_without_response_delay_no_other(server: Server) -> None:
    good, dead = server(sends(response(GOOD))), server(hangs)
    urls = [dead] * 9 + [good] * 5
    endpoints = parse_endpoints([{"name": f"e{number}", "url": url} for number, url in enumerate(urls)])
    limits = Limits(concurrency=3, request_timeout=600)
    for deadline in (3, *DEADLINES[1:]):
        outcome = wait_for(
            endpoints, parse_assertions([LIVE]), timeout=deadline, limits=limits, identity=False
        )
        failures = [page.failure and page.failure.kind for page in outcome.snapshot.pages.values()]
        if failures[9:] == [None] * 5:
            break
    assert failures == ["timeout"] * 9 + [None] * 5


TOO_MANY = {"match": "server.l.*", "across": "sum", "op": "eq", "value": 0}


def counting(server: Server, second: Behaviour) -> tuple[str, list[socket.socket]]:
    """Return a server of one stat and its connections; `second` is the behaviour of the second connection."""
    seen: list[socket.socket] = []

    def handle(connection: socket.socket) -> None:
        seen.append(connection)
        (second if len(seen) == 2 else sends(response(GOOD, "connection: close")))(connection)

    return server(handle), seen


def test_types_of_stats_are_queried_at_once(server: Server) -> None:
    barrier = threading.Barrier(12)

    def after_all_connected(connection: socket.socket) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(60)
            connection.sendall(response(GOOD, "connection: close"))

    urls = [counting(server, after_all_connected)[0] for _number in range(12)]
    endpoints = parse_endpoints([{"name": f"e{number}", "url": url} for number, url in enumerate(urls)])
    limits = Limits(request_timeout=120)
    outcome = wait_for(endpoints, parse_assertions([TOO_MANY]), timeout=120, limits=limits, identity=False)
    assert not barrier.broken
    assert outcome.attempts == 1  # it can no longer hold


def test_type_of_a_stat_is_queried_once(server: Server) -> None:
    for deadline in DEADLINES:
        url, seen = counting(server, sends(response(b"", "connection: close", status="404 Not Found")))
        endpoints = parse_endpoints([{"name": "odd", "url": url}])
        outcome = wait_for(
            endpoints, parse_assertions([TOO_MANY]), timeout=deadline, sleep=0.1, identity=False
        )
        if outcome.attempts > 3:
            break
    assert outcome.attempts > 3
    # One query of the type in all. The last attempt may end at the deadline before the server has accepted its connection.
    assert outcome.attempts <= len(seen) <= outcome.attempts + 1


def test_type_of_a_stat_is_not_queried_on_a_prometheus_page(server: Server) -> None:
    seen: list[socket.socket] = []

    def metrics(connection: socket.socket) -> None:
        seen.append(connection)
        connection.sendall(response(b"server_live 1\n", "connection: close"))

    endpoints = parse_endpoints([{"name": "odd", "url": server(metrics), "format": "prometheus"}])
    for deadline in DEADLINES:
        seen.clear()
        outcome = wait_for(
            endpoints, parse_assertions([TOO_MANY]), timeout=deadline, sleep=0.1, identity=False
        )
        if outcome.attempts > 2:
            break
    assert outcome.attempts > 2
    # The last attempt may end at the deadline before the server has accepted its connection.
    assert outcome.attempts - 1 <= len(seen) <= outcome.attempts


def test_query_for_the_type_ends_at_the_deadline(server: Server) -> None:
    left: list[bool] = []
    for deadline in DEADLINES:
        url, seen = counting(server, lambda connection: left.append(connection.recv(1) == b""))
        endpoints = parse_endpoints([{"name": "odd", "url": url}])
        limits = Limits(request_timeout=60)
        outcome = wait_for(
            endpoints, parse_assertions([TOO_MANY]), timeout=deadline, limits=limits, identity=False
        )
        if len(seen) > 1:  # on a busy machine, the first deadline may pass before the query
            break
    assert outcome.failure == "comparison"
    for _turn in range(1200):
        if left:
            break
        time.sleep(0.05)
    assert left == [True]


@pytest.fixture
def lingering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a docker command in PATH that closes its output and keeps running; return the file that it would write at its end."""
    lingered, command = tmp_path / "lingered", tmp_path / "docker"
    lines = [f"#!{sys.executable}", "import os, time", "os.close(0), os.close(1), time.sleep(60)"]
    command.write_text("\n".join([*lines, f"open({str(lingered)!r}, 'w')\n"]))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return lingered


def test_command_that_keeps_running_is_killed(lingering: Path) -> None:
    before = set(threading.enumerate())
    endpoints = parse_endpoints([{"name": "odd", "container": "odd"}])
    assert wait_for(endpoints, parse_assertions([LIVE]), wait=False, identity=False).failure == "unreachable"
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:  # the end of the process would wait for it
            thread.join()
    assert not lingering.exists()


def test_last_complete_snapshot_counts_at_the_deadline(server: Server) -> None:
    answered = 0

    def tires(connection: socket.socket) -> None:
        nonlocal answered
        if answered == 3:
            hangs(connection)
        answered += 1
        connection.sendall(response(GOOD.replace(b"1}", b"0}"), "connection: close"))

    endpoints = parse_endpoints([{"name": "odd", "url": server(tires)}])
    for deadline in DEADLINES:
        answered = 0
        outcome = wait_for(endpoints, parse_assertions([LIVE]), timeout=deadline, sleep=0.1, identity=False)
        if outcome.attempts > 2:
            break
    assert outcome.failure == "comparison"
    assert re.search(r"got 0 \(server.live at odd\) after \d+\.\d s", outcome.message)
    assert outcome.attempts > 2


@pytest.mark.parametrize("wait", [True, False])
def test_search_for_similar_names_ends_in_time(server: Server, wait: bool) -> None:
    """The page with all stats hangs. It is read for similar names after the assertions were evaluated."""

    def hangs_on_all(connection: socket.socket) -> None:
        request = b"filter="
        while b"filter=" in request:
            connection.sendall(response(GOOD))
            request = connection.recv(65536)
        connection.recv(1)

    endpoints = parse_endpoints([{"name": "odd", "url": server(hangs_on_all)}])
    gone = parse_assertions([{"stat": "server.alive", "op": "eq", "value": 1}])
    limits = Limits(request_timeout=5 if wait else 1)
    began = time.monotonic()
    outcome = wait_for(endpoints, gone, wait=wait, timeout=1, sleep=0.1, identity=False, limits=limits)
    took = time.monotonic() - began
    assert outcome.failure == "absent"
    assert "expected 1, got no value (server.alive at odd) after " in outcome.message
    assert took < 1.5 + 0.5  # the rest is for a busy machine


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://u:hidden@login.example/a?token=hidden#hidden", "'https://…@login.example/a'"),
        ("//u:hid@den@login.example/a", "'//…@login.example/a'"),
        ("/login?token=hidden", "'/login'"),
        ("?token=hidden", "''"),
    ],
)
def test_target_of_a_redirect_has_no_secret(server: Server, target: str, shown: str) -> None:
    message = read(server(sends(response(b"", f"location: {target}", status="302 Found")))).message
    assert f"returned status 302, a redirect to {shown}, which is not followed" in message


COUNTED = b"# TYPE a counter\na 3\n"


@pytest.mark.parametrize(
    ("kind", "data", "given"),
    [
        ("", response(COUNTED), {"value": 3}),
        ("comparison", response(COUNTED), {"value": 4}),
        ("absent", response(COUNTED), {"stat": "b"}),
        ("restarted", response(COUNTED), {"of": "delta"}),
        ("http_status", response(b"", status="500 Oops"), {}),
        ("unparsable", response(b"<html>"), {}),
        ("too_large", response(b"#" * 2_000), {}),
        ("timeout", b"HTTP/1.1 200 OK\r\n", {}),
        ("unreachable", b"", {}),
    ],
)
def test_result_has_the_same_keys_with_each_failure(
    server: Server, kind: str, data: bytes, given: dict[str, Any]
) -> None:
    def send_and_wait(connection: socket.socket) -> None:
        connection.sendall(data)
        if data:
            connection.recv(1)

    before = Page("odd", "prometheus", 1.0, {"prometheus": Samples(Selection(everything=True), {"a": 5})})
    assertion = {"stat": "a", "op": "eq", "value": 3, **given}
    result = run(
        envoy_stats,
        endpoints=[{"name": "odd", "url": server(send_and_wait), "format": "prometheus"}],
        assertions=[assertion],
        since=Snapshot(1.0, {"odd": before}).as_data(),
        request_timeout=1,
        max_bytes=1_000,
    )
    assert result["failure"] == kind
    assert result.pop("failed", False) is bool(kind)
    assert result.keys() - {"warnings"} == {
        *(
            "changed",
            "msg",
            "assertions",
            "endpoints",
            "snapshot",
            "failure",
            "elapsed",
            "attempts",
            "invocation",
        )
    }
    assert result["assertions"][0].keys() == {
        *(
            "ok",
            "name",
            "source",
            "stat",
            "texts",
            "endpoint",
            "endpoints",
            "of",
            "accepted",
            "across",
            "op",
            "expected",
            "observed",
        ),
        *("error", "failure", "message", "readings"),
    }
    assert result["endpoints"][0].keys() == {
        *("name", "group", "format", "ok", "state", "version", "uptime", "epoch", "bytes", "milliseconds"),
        *("attempts", "failure", "message"),
    }
    assert result["assertions"][0]["failure"] == kind


def test_headers_are_sent_and_not_returned(server: Server) -> None:
    seen: list[bytes] = []

    def check(connection: socket.socket) -> None:
        connection.sendall(response(b"", status="401 Unauthorized"))

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                seen.append(connection.recv(65536))
                check(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        outcome = read(
            f"http://127.0.0.1:{listener.getsockname()[1]}", headers={"authorization": "Bearer hidden"}
        )
        thread.join(10)
    assert b"authorization: Bearer hidden\r\n" in seen[0]
    assert "hidden" not in json.dumps(outcome.as_data()) + outcome.message
