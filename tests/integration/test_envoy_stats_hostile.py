# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are slow, wrong or hostile, each on a real socket: a failure and a sentence for each, in time and little memory."""

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
    """Starts servers that treat every connection with a function, after its request has come."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(behaviour: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(200)
                connection.recv(65536)
                behaviour(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=one, args=(listener.accept()[0],), daemon=True))
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


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


# Seconds, for what has to end at a deadline: a machine that stands still for some of them has more the next time.
DEADLINES = (1.5, 20.0, 60.0)


def says(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def hangs(connection: socket.socket) -> None:
    """Says nothing for as long as anybody waits."""
    while connection.recv(65536):
        pass


def look(
    url: str, *assertions: dict[str, Any], timeout: float = 10.0, max_bytes: int = 1_000_000, **endpoint: Any
) -> Outcome:
    endpoints = parse_endpoints([{"name": "odd", "url": url, **endpoint}])
    limits = Limits(request_timeout=timeout, max_bytes=max_bytes)
    return wait_for(
        endpoints, parse_assertions(assertions or [LIVE]), wait=False, limits=limits, identity=False
    )


def test_a_good_answer_is_good(server: Server) -> None:
    assert look(server(says(answer(GOOD)))).ok


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + GOOD + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n" + GOOD + b"\n\n",
        b"HTTP/1.1 200 OK\r\nx: y\n\r\n" + GOOD + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("pieces", [1, 7])
def test_a_head_ends_where_it_ends(server: Server, data: bytes, pieces: int) -> None:
    def in_pieces(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = -(-len(data) // pieces)
        for place in range(0, len(data), size):
            connection.sendall(data[place : place + size])
            time.sleep(0.01)  # mostly enough to come alone; the test holds if not

    assert look(server(in_pieces)).ok


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", "unreachable", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unparsable", "no HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "unparsable", "speaks TLS; use https://"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "unparsable", "no HTTP"),
        (answer(b"<html><body>Hello</body></html>"), "unparsable", "begins with '<html>"),
        (answer(GOOD[:-5]), "unparsable", "no JSON"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + GOOD, "unparsable", "cut off"),
        (CHUNKED + b'5\r\n{"sta', "unparsable", "cut off"),
        (CHUNKED + b"nonsense\r\n", "unparsable", "chunks"),
        (CHUNKED + b"-5\r\n" + GOOD, "unparsable", "chunks"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", "unparsable", "bytes long"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: \xb2\r\n\r\n", "unparsable", "bytes long"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n", "unparsable", "bytes long"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", "too_large", "10000000000 bytes"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", "too_large", "head"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000, "too_large", "head"),
        (answer(b"no", status="403 Forbidden"), "http_status", "allow_paths"),
        (answer(b"", status="404 Not Found"), "http_status", "is this Envoy's admin"),
        (answer(b"", status="500 Oops"), "http_status", "answered 500"),
        (
            answer(b"", "location: http://127.0.0.2:1/", status="302 Found"),
            "http_status",
            "a redirect is not followed",
        ),
        (answer(GOOD, "content-encoding: gzip"), "unparsable", "is not"),
        (answer(gzip.compress(GOOD)[:-9], "content-encoding: gzip"), "unparsable", "gzip was cut off"),
        (answer(GOOD, "content-encoding: br"), "unparsable", "packed with 'br'"),
        (answer(b"[]"), "unparsable", "not Envoy's"),
        (answer(b"\xff\xfe\x00"), "unparsable", "no JSON"),
        (answer(b'{"stats":[]}'), "absent", "it does not exist"),
        (answer(b'{"stats":[{"name":"server.live","value":null}]}'), "absent", "it does not exist"),
        (answer(b'{"stats":[{"name":"server.live","value":NaN}]}'), "absent", "it does not exist"),
        (
            answer(b'{"stats":[{"name":"server.live","value":36893488147419103232}]}'),
            "comparison",
            "got 36893488147419103232",
        ),
    ],
)
def test_what_is_wrong_is_said(server: Server, data: bytes, kind: str, words: str) -> None:
    outcome = look(server(says(data)))
    assert not outcome.ok
    assert (outcome.failure, words in outcome.message) == (kind, True), outcome.message
    assert "\n" not in outcome.message
    assert len(outcome.message) < 500


def test_a_byte_a_second(server: Server) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in answer(GOOD):
            connection.sendall(bytes([byte]))
            time.sleep(0.5)

    outcome = look(server(drip), timeout=1)
    assert outcome.failure == "timeout"
    assert "no whole answer" in outcome.message


def test_an_answer_in_a_million_pieces_holds_up_neither_the_clock_nor_the_others(server: Server) -> None:
    def crumble(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        while True:
            connection.sendall(b"1\r\n \r\n" * 10_000)

    odd, good = server(crumble), server(says(answer(GOOD)))
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
        answer(b'{"stats":[{"histograms":[{"name":[],"buckets":[]}]}]}'),
        answer(b'{"stats":[{"name":"server.live","value":1' + b"0" * 350 + b"}]}"),
    ],
)
def test_nothing_that_one_says_takes_the_others_with_it(server: Server, odd: bytes) -> None:
    urls = {"odd": server(says(odd)), "good": server(says(answer(GOOD)))}
    endpoints = parse_endpoints([{"name": name, "url": url} for name, url in urls.items()])
    about = [
        {"match": "server.live", "endpoint": "*", "across": "avg", "op": "ge", "value": 0},
        {"match": ".*h", "endpoint": "*", "quantile": 0.5, "op": "ge", "value": 0},
        {**LIVE, "endpoint": "good"},
    ]
    outcome = wait_for(endpoints, parse_assertions(about), wait=False, identity=False)
    assert outcome.verdicts[2].ok
    json.dumps(outcome.as_data(), allow_nan=False)


def test_no_answer_and_no_acceptance() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        outcome = look(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=1)
        assert outcome.failure == "timeout"
    assert look("http://127.0.0.1:1").failure == "unreachable"
    nowhere = look("http://no-such-host.invalid:1", timeout=20)
    assert nowhere.failure == "unreachable"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives `several.example` these addresses, in this order."""
    real = socket.getaddrinfo

    def name(*addresses: tuple[str, int]) -> None:
        found = [real(host, port, type=socket.SOCK_STREAM)[0] for host, port in addresses]

        def look_up(host: Any, *arguments: Any, **more: Any) -> Any:
            return found if host == "several.example" else real(host, *arguments, **more)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return name


def test_every_address_of_a_name_is_tried(server: Server, named: Callable[..., None]) -> None:
    """As of `localhost`, where ::1 comes first and the admin listens on 127.0.0.1."""
    port = int(server(says(answer(GOOD))).rpartition(":")[2])
    named(("::1", port), ("127.0.0.1", port))
    # The connection is not kept: the second look begins with the address that worked.
    outcome = look(f"http://several.example:{port}", LIVE, {"stat": "server.live", "op": "present"})
    assert outcome.ok, outcome.message
    named(("::1", 1), ("127.0.0.1", 1))
    assert "connection refused" in look("http://several.example:1").message


def test_an_address_that_says_nothing_leaves_time_for_the_next(
    server: Server, named: Callable[..., None]
) -> None:
    port = int(server(says(answer(GOOD))).rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _number in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        named(full.getsockname(), ("127.0.0.1", port))
        began = time.monotonic()
        outcome = look(f"http://several.example:{port}", timeout=10)
        assert outcome.ok, outcome.message
        assert time.monotonic() - began < 5
        for one in waiting:
            one.close()


def test_a_unix_socket_whose_queue_is_full_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        first = socket.socket(socket.AF_UNIX)
        first.connect(path)  # takes the only place

        def serve() -> None:
            time.sleep(0.4)
            for _number in range(2):
                with listener.accept()[0] as connection:
                    if connection.recv(65536):
                        connection.sendall(answer(GOOD))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threading.Timer(0.5, first.close).start()
        assert look(f"unix://{path}", timeout=10).ok
        thread.join(10)


@contextlib.contextmanager
def at_most(size: int) -> Iterator[None]:
    """Fails where more bytes than that were held at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_without_end_costs_no_memory(server: Server, chunked: bool) -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(CHUNKED if chunked else b"HTTP/1.1 200 OK\r\n\r\n")
        piece = b" " * 65536
        for _number in range(160_000):  # 10 GB, if anybody takes it
            connection.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)

    with at_most(60_000_000):
        outcome = look(server(pour), timeout=20, max_bytes=20_000_000)
    assert outcome.failure == "too_large"
    assert "max_bytes" in outcome.message


def test_a_gzip_bomb_costs_no_memory(server: Server) -> None:
    bomb = gzip.compress(b" " * 300_000_000, 9)
    url = server(says(answer(bomb, "content-encoding: gzip")))
    with at_most(20_000_000):
        outcome = look(url, timeout=20, max_bytes=5_000_000)
    assert outcome.failure == "too_large"


def test_gzip_is_unpacked(server: Server) -> None:
    assert look(server(says(answer(gzip.compress(GOOD), "content-encoding: gzip")))).ok


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
def test_names_that_are_odd(server: Server, name: str) -> None:
    for ascii_only in (True, False):
        body = json.dumps({"stats": [{"name": name, "value": 3}]}, ensure_ascii=ascii_only).encode()
        url = server(says(answer(body)))
        assert look(url, {"stat": name, "op": "eq", "value": 3}).ok
        wrong = look(url, {"stat": name, "op": "eq", "value": 4})
        assert wrong.failure == "comparison"
        json.dumps(wrong.as_data())


def test_bytes_that_are_no_utf8(server: Server) -> None:
    outcome = look(
        server(says(answer(b'{"stats":[{"name":"a\xff","value":1},{"name":"server.live","value":1}]}')))
    )
    assert outcome.ok
    everything = look(
        server(says(answer(b'{"stats":[{"name":"a\xff\\ud800","value":1}]}'))),
        {"match": ".*", "op": "eq", "value": 1},
    )
    json.dumps(everything.as_data()).encode("utf-8")
    everything.message.encode("utf-8")


def test_plain_where_tls_was_expected(server: Server) -> None:
    url = server(says(answer(GOOD)))
    outcome = look(url.replace("http:", "https:"))
    assert outcome.failure == "unreachable"
    assert "TLS" in outcome.message


def test_tls_is_checked(tmp_path: Path) -> None:
    """A certificate of nobody that is trusted; the same with its own authority."""
    trustme = tmp_path / "cert.pem"
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
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(trustme)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trustme, tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            for _number in range(4):
                raw = listener.accept()[0]
                with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(answer(GOOD))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        untrusted = look(url, timeout=10)
        assert untrusted.failure == "unreachable"
        assert "certificate is not trusted" in untrusted.message
        assert "ca_path: /nowhere" in look(url, ca_path="/nowhere").message
        assert look(url, timeout=10, ca_path=str(trustme)).ok
        assert look(url, timeout=10, validate_certs=False).ok
        thread.join(10)


def test_one_that_is_slow_does_not_hold_up_the_others_and_all_ends_in_time(server: Server) -> None:
    good, dead = server(says(answer(GOOD))), server(hangs)
    endpoints = parse_endpoints([{"name": f"e{n}", "url": dead if n % 10 == 0 else good} for n in range(60)])
    assertions = parse_assertions(
        [{**LIVE, "endpoint": "e*"}, {**LIVE, "endpoint": "e1"}, {**LIVE, "endpoint": "e0"}]
    )
    # Who waited for an answer, and not until the deadline, would wait for ten minutes.
    limits = Limits(concurrency=10, request_timeout=600)
    slow = [f"e{n}" for n in range(0, 60, 10)]
    for deadline in DEADLINES:
        outcome = wait_for(endpoints, assertions, timeout=deadline, limits=limits, identity=False)
        failed = [page.name for page in outcome.snapshot.pages.values() if page.failure]
        if failed == slow:
            break
    assert failed == slow
    assert [one.ok for one in outcome.verdicts] == [False, True, False]


def test_as_many_dead_ones_as_are_asked_at_once_leave_the_others_their_turn(server: Server) -> None:
    good, dead = server(says(answer(GOOD))), server(hangs)
    urls = [dead] * 9 + [good] * 5
    endpoints = parse_endpoints([{"name": f"e{place}", "url": url} for place, url in enumerate(urls)])
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
    """A server of a stat, to whose second connection something else happens; and the connections that it had."""
    seen: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        seen.append(connection)
        (second if len(seen) == 2 else says(answer(GOOD, "connection: close")))(connection)

    return server(one), seen


def test_all_are_asked_at_once_whether_a_stat_is_a_counter(server: Server) -> None:
    everybody = threading.Barrier(12)

    def when_all_are_there(connection: socket.socket) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            everybody.wait(60)
            connection.sendall(answer(GOOD, "connection: close"))

    urls = [counting(server, when_all_are_there)[0] for _number in range(12)]
    endpoints = parse_endpoints([{"name": f"e{place}", "url": url} for place, url in enumerate(urls)])
    limits = Limits(request_timeout=120)
    outcome = wait_for(endpoints, parse_assertions([TOO_MANY]), timeout=120, limits=limits, identity=False)
    assert not everybody.broken
    assert outcome.attempts == 1  # it can no longer come true


def test_who_cannot_tell_whether_a_stat_is_a_counter_is_asked_once(server: Server) -> None:
    for deadline in DEADLINES:
        url, seen = counting(server, says(answer(b"", "connection: close", status="404 Not Found")))
        endpoints = parse_endpoints([{"name": "odd", "url": url}])
        outcome = wait_for(
            endpoints, parse_assertions([TOO_MANY]), timeout=deadline, sleep=0.1, identity=False
        )
        if outcome.attempts > 1:
            break
    assert outcome.attempts > 1
    assert len(seen) == outcome.attempts + 1


def test_prometheus_is_not_asked_what_only_an_admin_can_tell(server: Server) -> None:
    seen: list[socket.socket] = []

    def metrics(connection: socket.socket) -> None:
        seen.append(connection)
        connection.sendall(answer(b"server_live 1\n", "connection: close"))

    endpoints = parse_endpoints([{"name": "odd", "url": server(metrics), "format": "prometheus"}])
    outcome = wait_for(endpoints, parse_assertions([TOO_MANY]), timeout=1, sleep=0.1, identity=False)
    assert len(seen) == outcome.attempts


def test_who_never_tells_whether_a_stat_is_a_counter_is_left_at_the_deadline(server: Server) -> None:
    left: list[bool] = []
    url, _seen = counting(server, lambda connection: left.append(connection.recv(1) == b""))
    endpoints = parse_endpoints([{"name": "odd", "url": url}])
    limits = Limits(request_timeout=60)
    outcome = wait_for(endpoints, parse_assertions([TOO_MANY]), timeout=1, limits=limits, identity=False)
    assert outcome.failure == "comparison"
    for _turn in range(1200):
        if left:
            break
        time.sleep(0.05)
    assert left == [True]


@pytest.fixture
def lingering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker whose output ends at once and that itself would go on; it writes the file when it is let."""
    lingered, command = tmp_path / "lingered", tmp_path / "docker"
    lines = [f"#!{sys.executable}", "import os, time", "os.close(0), os.close(1), time.sleep(60)"]
    command.write_text("\n".join([*lines, f"open({str(lingered)!r}, 'w')\n"]))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return lingered


def test_a_command_that_does_not_go_is_ended(lingering: Path) -> None:
    before = set(threading.enumerate())
    endpoints = parse_endpoints([{"name": "odd", "container": "odd"}])
    assert wait_for(endpoints, parse_assertions([LIVE]), wait=False, identity=False).failure == "unreachable"
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:  # the end of the process would wait for it
            thread.join()
    assert not lingering.exists()


def test_what_was_seen_last_is_said_when_the_last_look_is_cut_off(server: Server) -> None:
    answered = 0

    def tires(connection: socket.socket) -> None:
        nonlocal answered
        if answered == 3:
            hangs(connection)
        answered += 1
        connection.sendall(answer(GOOD.replace(b"1}", b"0}"), "connection: close"))

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
def test_an_absence_is_not_explained_for_longer_than_there_is_time(server: Server, wait: bool) -> None:
    """Its whole page hangs, which is asked for the nearest names after all is decided."""

    def hangs_on_all(connection: socket.socket) -> None:
        request = b"filter="
        while b"filter=" in request:
            connection.sendall(answer(GOOD))
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
    assert took < 1.5 + 0.5  # and half a second that such a machine may lose


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("https://u:hidden@login.example/a?token=hidden#hidden", "'https://…@login.example/a'"),
        ("//u:hid@den@login.example/a", "'//…@login.example/a'"),
        ("/login?token=hidden", "'/login'"),
        ("?token=hidden", "''"),
    ],
)
def test_where_a_redirect_leads_is_told_without_what_is_secret(
    server: Server, target: str, told: str
) -> None:
    message = look(server(says(answer(b"", f"location: {target}", status="302 Found")))).message
    assert f"answered 302, to {told}; a redirect is not followed" in message


COUNTED = b"# TYPE a counter\na 3\n"


@pytest.mark.parametrize(
    ("kind", "data", "given"),
    [
        ("", answer(COUNTED), {"value": 3}),
        ("comparison", answer(COUNTED), {"value": 4}),
        ("absent", answer(COUNTED), {"stat": "b"}),
        ("restarted", answer(COUNTED), {"of": "delta"}),
        ("http_status", answer(b"", status="500 Oops"), {}),
        ("unparsable", answer(b"<html>"), {}),
        ("too_large", answer(b"#" * 2_000), {}),
        ("timeout", b"HTTP/1.1 200 OK\r\n", {}),
        ("unreachable", b"", {}),
    ],
)
def test_a_result_has_the_same_keys_whatever_comes_of_it(
    server: Server, kind: str, data: bytes, given: dict[str, Any]
) -> None:
    def says_and_waits(connection: socket.socket) -> None:
        connection.sendall(data)
        if data:
            connection.recv(1)

    before = Page("odd", "prometheus", 1.0, {"prometheus": Samples(Selection(everything=True), {"a": 5})})
    asked = {"stat": "a", "op": "eq", "value": 3, **given}
    result = run(
        envoy_stats,
        endpoints=[{"name": "odd", "url": server(says_and_waits), "format": "prometheus"}],
        assertions=[asked],
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
            "endpoint",
            "endpoints",
            "of",
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


def test_headers_are_sent_and_not_shown(server: Server) -> None:
    seen: list[bytes] = []

    def check(connection: socket.socket) -> None:
        connection.sendall(answer(b"", status="401 Unauthorized"))

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                seen.append(connection.recv(65536))
                check(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        outcome = look(
            f"http://127.0.0.1:{listener.getsockname()[1]}", headers={"authorization": "Bearer hidden"}
        )
        thread.join(10)
    assert b"authorization: Bearer hidden\r\n" in seen[0]
    assert "hidden" not in json.dumps(outcome.as_data()) + outcome.message
