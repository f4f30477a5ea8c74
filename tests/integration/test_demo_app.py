# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the demo app as a process: requests over its socket, and signals."""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

FILE = Path(__file__).resolve().parents[2] / "roles" / "demo_app" / "files" / "demo_app.py"


class AppProcess(NamedTuple):
    """A running demo app and its port."""

    process: subprocess.Popen[str]
    port: int

    def get(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def text(self, path: str, **headers: str) -> str:
        return str(self.get(path, **headers).text)  # type: ignore[attr-defined]

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer

    def until(self, line: str) -> None:
        """Wait up to 60 s until the metrics page contains this line."""
        deadline = time.monotonic() + 60
        while line not in self.text("/metrics").splitlines():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def first_failed_health_check(self) -> http.client.HTTPResponse | None:
        """Return the first response of /healthz whose status is not 200; None if the app ended before."""
        try:
            while (health := self.get("/healthz")).status == 200:
                time.sleep(0.01)
        except ConnectionError:
            return None
        return health


# A line of the metrics page while this request and another one are active.
TWO_ACTIVE = "demo_app_requests_under_way 2"


@contextmanager
def running(**settings: str) -> Iterator[AppProcess]:
    environment = {"PORT": "0", "BIND": "127.0.0.1", "HOSTNAME": "app-1", **settings}
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", str(FILE)],
        env={f"DEMO_APP_{name}": value for name, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield AppProcess(process, int(process.stdout.readline().split()[-1]))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def app() -> Iterator[AppProcess]:
    with running(SERVICE="1", VERSION="v2", LIMIT_BODY="1000") as process:
        yield process


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/", 200, "X-Forwarded-For"),
        ("/service/1", 200, "Hello from behind Envoy (service 1)! hostname: app-1 resolved hostname: "),
        ("/service/2", 404, "This is service 1"),
        ("/workload?value=2", 200, "Worked and waited 2 ms"),
        ("/cpuwork?cpu=2", 200, "Used 2 ms of CPU"),
        ("/memwork?value=2&memory=2", 200, "Held 2 MB for 2 ms"),
        ("/delay?ms=2", 200, "Waited 2 ms"),
        ("/delay", 400, "Add ?ms="),
        ("/cpuwork?cpu=99999", 400, "above the limit of 2000"),
        ("/status/418", 418, "as requested"),
        ("/status/599", 599, "as requested"),
        ("/status/100", 400, "not a status from 200 to 599"),
        ("/bytes?n=200", 200, "Every request is counted once"),
        ("/hop/other/", 404, "DEMO_APP_CALLS"),
        ("/text?n=200", 200, "hede loga pana"),
        ("/cached?control=max-age=60", 200, "Made by app-1."),
        ("/cached?control=a%0d%0ax:y", 400, "Use a cache-control value"),
        ("/ready", 200, "Healthy."),
        ("/healthcheck/fail", 405, "Use POST"),
        ("/healthcheck/other", 404, "Use /healthcheck/fail or"),
        ("/websocket", 426, "requires a WebSocket upgrade"),
        ("/healthz", 200, "Healthy."),
        ("/nothing", 404, "See / for all paths"),
        ("/?" + "a=1&" * 60, 400, "The query is not valid."),
    ],
)
def test_path_returns_status_and_content(app: AppProcess, path: str, status: int, content: str) -> None:
    answer = app.get(path)
    assert (answer.status, answer.headers["x-served-by"], answer.headers["x-app-version"]) == (
        status,
        "app-1",
        "v2",
    )
    assert content in answer.text  # type: ignore[attr-defined]
    assert "envoy" not in answer.headers["server"]


def test_text_is_constant_and_compresses_to_a_third(app: AppProcess) -> None:
    content = app.text("/text?n=100000")
    assert len(content) == 100_000
    assert content == app.text("/text?n=100000")
    assert 2.5 < len(content) / len(zlib.compress(content.encode())) < 3
    assert [app.text(f"/text?n={size}") for size in (0, 1, 2)] == ["", "\n", "h\n"]


def test_cacheable_response_is_revalidated_by_its_etag(app: AppProcess) -> None:
    first = app.get("/cached?control=max-age=60")
    assert first.headers["cache-control"] == "max-age=60"
    again = app.get("/cached?control=max-age=60", If_None_Match=first.headers["etag"])
    assert (again.status, again.text, again.headers["etag"]) == (304, "", first.headers["etag"])  # type: ignore[attr-defined]
    assert app.get("/cached?control=max-age=60", If_None_Match='"other"').status == 200


def test_healthcheck_makes_ready_fail_and_succeed(app: AppProcess) -> None:
    assert "/ready fails on app-1" in app.get("/healthcheck/fail", "POST").text  # type: ignore[attr-defined]
    assert (app.get("/ready").status, app.get("/healthz").status) == (503, 200)
    assert app.get("/healthcheck/ok", "POST").status == 200
    assert app.get("/ready").status == 200


UPGRADE = (
    b"GET /websocket HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_websocket_echoes_messages_pings_and_close(app: AppProcess) -> None:
    zero = b"\0\0\0\0"  # a mask without effect
    ping, pieces = b"\x89\x81" + zero + b"p", b"\x01\x82" + zero + b"he" + b"\x80\x83" + zero + b"llo"
    head, _end, frames = app.raw(UPGRADE + ping + pieces + b"\x88\x82" + zero + b"\x03\xe8").partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    # the example of RFC 6455, 1.3
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert frames == b"\x8a\x01p" + b"\x81\x15served-by app-1\nhello" + b"\x88\x02\x03\xe8"
    for wrong in (
        b"\x81\x05hello",
        b"\x81\xff" + (2**40).to_bytes(8, "big") + zero,
        b"\x81\x85" + zero + b"hel",
    ):
        assert app.raw(UPGRADE + wrong).partition(b"\r\n\r\n")[2] == b""
    assert b" 400 " in app.raw(
        UPGRADE.replace(b"version: 13", b"version: 8").replace(b"keep-alive, ", b"close, ")
    )


def test_bodies_are_limited_and_may_be_chunked(app: AppProcess) -> None:
    assert app.get("/bytes?n=200", "HEAD").headers["content-length"] == "200"
    assert app.get("/echo", "POST", b"x" * 1000).text == "x" * 1000  # type: ignore[attr-defined]
    assert app.get("/echo", "POST", b"x" * 1001).status == 413
    chunked = b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nt: 1\r\n\r\n"
    assert app.raw(chunked + b"GET /healthz HTTP/1.1\r\n\r\n").count(b"HTTP/1.1 200 OK") == 2
    assert b"\r\n\r\nhello" in app.raw(chunked)
    assert b" 413 " in app.raw(chunked.replace(b"2;x", b"fffff"))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"BREW / HTTP/1.1\r\n\r\n", b"501"),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST /echo HTTP/1.1\r\ncontent-length: +1\r\n\r\nx", b"400"),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 9\r\n\r\nx", b"400"),
        (b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
    ],
)
def test_invalid_request_closes_the_connection(app: AppProcess, data: bytes, status: bytes) -> None:
    answer = app.raw(data)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nx-served-by: app-1\r\n" in answer
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_headers_returns_the_headers(app: AppProcess) -> None:
    seen = json.loads(app.text("/headers", X_Request_Id="r1"))
    assert seen["headers"]["x-request-id"] == "r1"
    assert (seen["method"], seen["client"]) == ("GET", "127.0.0.1")


def test_connection_is_reused(app: AppProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
    connection.connect()
    socket_before = connection.sock
    for path in ("/service/1", "/status/503", "/status/204", "/status/304", "/nothing"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is socket_before
    connection.close()


def test_metrics_grow_by_the_requests(app: AppProcess) -> None:
    def counted() -> int:
        lines = [
            line for line in app.text("/metrics").splitlines() if line.startswith("demo_app_requests_total{")
        ]
        values = dict(line.rsplit(" ", 1) for line in lines)
        return int(values.get('demo_app_requests_total{method="GET",path="/status/{code}",status="207"}', 0))

    before = counted()
    for _repetition in range(3):
        app.get("/status/207")
    assert counted() - before == 3
    assert app.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_cpu_work_does_not_block_other_requests() -> None:
    with running(LIMIT_CPU_MS="60000") as app:
        status = Path(f"/proc/{app.process.pid}/stat")
        for milliseconds in (400, 2000, 20_000):  # longer on a machine that pauses
            before = cpu(status)
            answers: list[http.client.HTTPResponse] = []
            slow = threading.Thread(
                target=lambda path, into: into.append(app.get(path)),
                args=(f"/cpuwork?cpu={milliseconds}", answers),
            )
            slow.start()
            app.get("/healthz")
            answered_meanwhile = app.text("/metrics").splitlines().count(TWO_ACTIVE) == 1
            slow.join()
            assert answers[0].status == 200
            if before is not None:
                used = cpu(status)
                assert used is not None
                assert used - before >= 0.875 * milliseconds / 1000
            if answered_meanwhile:
                break
        assert answered_meanwhile


def cpu(status: Path) -> float | None:
    """Return the CPU seconds of a process; None if the system has no /proc."""
    if not status.exists():
        return None
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_hop_forwards_headers_without_credentials() -> None:
    with ExitStack() as stack:
        last = stack.enter_context(running(HOSTNAME="last"))
        calls = f"last=127.0.0.1:{last.port}"
        first = stack.enter_context(running(CALLS=calls, LIMIT_HOP_MS="60000"))
        impatient = stack.enter_context(running(CALLS=calls, LIMIT_HOP_MS="300"))
        forwarded = {
            "x-request-id": "r",
            "traceparent": "t",
            "x-b3-traceid": "b",
            "x-ot-span-context": "o",
            "baggage": "g",
            "x-tenant": "shop",
        }
        private = {
            "authorization": "secret",
            "cookie": "secret",
            "x-forwarded-for": "1.2.3.4",
            "x-envoy-internal": "true",
        }
        answer = first.get("/hop/last/headers", **forwarded, **private)
        result = json.loads(answer.text)  # type: ignore[attr-defined]
        assert (answer.status, result["to"], result["status"], result["served_by"]) == (
            200,
            "last",
            200,
            "last",
        )
        seen = result["body"]["headers"]
        assert {name: seen.get(name) for name in forwarded} == forwarded
        assert (seen["host"], seen["x-demo-app-hops"]) == ("last", "1")
        assert not seen.keys() & private.keys()
        assert first.get("/hop/last/status/503").status == 503
        assert json.loads(first.text("/hop/last/text?n=5"))["body"] == "hede\n"
        assert impatient.get("/hop/last/delay?ms=5000").status == 504
        last.process.kill()
        last.process.wait()
        assert first.get("/hop/last/").status == 502


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-large": "x" * 60_000}, 200),
        ({"x-large": "x" * 70_000}, 431),
        ({f"x-{number}": "x" for number in range(90)}, 200),
        ({f"x-{number}": "x" for number in range(110)}, 431),
    ],
)
def test_limits_of_headers_are_those_of_the_index_page(
    app: AppProcess, headers: dict[str, str], status: int
) -> None:
    answer = app.get("/healthz", **headers)
    assert answer.status == status
    if status == 431:
        assert (
            answer.text == "A header is longer than 65536 bytes, or the request has more than 100 headers.\n"
        )  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_finishes_requests_and_fails_health_checks(number: signal.Signals) -> None:
    for milliseconds in (1000, 20_000):  # longer on a machine that pauses for a second
        with running(LIMIT_DELAY_MS="20000", DEADLINE="300") as app:
            answers: list[http.client.HTTPResponse] = []
            slow = threading.Thread(
                target=lambda path, into, one=app: into.append(one.get(path)),
                args=(f"/delay?ms={milliseconds}", answers),
            )
            slow.start()
            app.until(TWO_ACTIVE)
            app.process.send_signal(number)
            health = app.first_failed_health_check()
            slow.join()
            assert [answer.status for answer in answers] == [200]
            assert app.process.wait(60) == 0
            if health:
                break
    assert health
    assert (health.status, health.headers["connection"]) == (503, "close")


def test_stop_does_not_wait_for_idle_connections() -> None:
    with running(DEADLINE="3600") as app:
        connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        app.process.terminate()
        assert app.process.wait(60) == 0, "the app waited for its deadline"
        connection.close()


def test_stop_has_a_deadline_and_a_drain_time() -> None:
    with running(DEADLINE="1", LIMIT_DELAY_MS="60000") as app:

        def reset_connection() -> None:
            with pytest.raises(ConnectionResetError):
                app.get("/delay?ms=60000")

        slow = threading.Thread(target=reset_connection)
        slow.start()
        app.until(TWO_ACTIVE)
        app.process.terminate()
        assert app.process.wait(60) == 0
        assert app.process.stderr is not None
        assert "stopped after 1 s with active requests" in app.process.stderr.read()
        slow.join()
    for seconds in ("1", "20"):
        with running(DRAIN=seconds) as app:
            app.process.terminate()
            health = app.first_failed_health_check()
            with suppress(ConnectionError):
                served = health and app.get("/service/1")
            assert app.process.wait(60) == 0
            if served:
                break
    assert health
    assert served
    assert (health.status, served.status) == (503, 404)


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"PORT": "x"}, 2, "demo_app: DEMO_APP_PORT: 'x' is not a whole number from 0 to 65535.\n"),
        ({"BIND": "192.0.2.1"}, 1, "demo_app: cannot listen on 192.0.2.1 port 0: "),
    ],
)
def test_invalid_settings_end_the_app_with_a_message(
    settings: dict[str, str], code: int, message: str
) -> None:
    environment = {f"DEMO_APP_{name}": value for name, value in {"PORT": "0", **settings}.items()}
    done = subprocess.run(
        [sys.executable, str(FILE)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_log_of_requests_is_off_by_default() -> None:
    for log, lines in (("none", 0), ("requests", 1)):
        with running(LOG=log) as app:
            app.get("/status/204", X_Request_Id="r1")
            app.process.terminate()
            assert app.process.stdout is not None
            logged = app.process.stdout.read().splitlines()
        assert len(logged) == lines
    line = json.loads(logged[0])
    assert (line["path"], line["status"], line["request_id"]) == ("/status/204", 204, "r1")


def test_tcp_sends_its_name_once_for_each_connection() -> None:
    with running(PROTOCOL="tcp") as app, socket.create_connection(("127.0.0.1", app.port), 60) as connection:
        connection.sendall(b"ping\n")
        assert connection.recv(1000) == b"served-by app-1\nping\n"
        connection.sendall(b"ping\n")
        assert connection.recv(1000) == b"ping\n"


def test_udp_sends_its_name_in_each_datagram() -> None:
    with running(PROTOCOL="udp") as app, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(60)
        for _repetition in range(2):
            connection.sendto(b"ping", ("127.0.0.1", app.port))
            assert connection.recv(1000) == b"served-by app-1\nping"
        # a TCP connection is the readiness check
        with socket.create_connection(("127.0.0.1", app.port), 60) as check:
            assert check.recv(1) == b""


AS_RANDOM_USER = ("setpriv", "--reuid", "1234567", "--regid", "0", "--clear-groups", "--no-new-privs")


def runs_as_random_user(python: str) -> bool:
    """Return whether a user without a name can run this Python, which may be in root's home."""
    return (
        subprocess.run([*AS_RANDOM_USER, python, "-I", "-c", ""], capture_output=True, check=False).returncode
        == 0
    )


@pytest.mark.skipif(
    platform.system() != "Linux" or os.getuid() != 0, reason="requires root and the namespaces of Linux"
)
def test_app_runs_as_random_user_on_read_only_root() -> None:
    python = next(
        (python for python in (sys.executable, "/usr/bin/python3") if runs_as_random_user(python)), None
    )
    assert python is not None, "no Python that another user can run"
    read_only = "mount -o remount,ro,bind / && if touch /demo-app-test 2>&-; then exit 9; fi"
    script = f'{read_only}; exec {" ".join(AS_RANDOM_USER)} "{python}" -I -'
    code = FILE.read_text()
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script],
        env={"PATH": os.environ["PATH"], "DEMO_APP_PORT": "0", "DEMO_APP_BIND": "127.0.0.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(code)
            process.stdin.close()
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            assert AppProcess(process, int(line.split()[-1])).get("/").status == 200
            assert "Uid:\t1234567" in Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.kill()


def test_unix_socket_replaces_address_and_port(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    for _number in range(2):  # the second process replaces the socket that the first one left
        environment = {"DEMO_APP_UNIX_SOCKET": str(path), "DEMO_APP_HOSTNAME": "app-1"}
        with subprocess.Popen(
            [sys.executable, "-S", "-E", str(FILE)], env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == f"demo_app: http on {path}\n"
                assert path.stat().st_mode & 0o777 == 0o666
                [traffic] = parse_traffic(
                    [
                        {
                            "url": "http://localhost/service/1",
                            "unix_socket": str(path),
                            "requests": 3,
                            "expect": [{"hosts": "app-1", "op": "eq", "value": 3}],
                        }
                    ]
                )
                result = send_traffic(traffic)
                assert (result["errors"], [one["ok"] for one in result["expect"]]) == ({}, [True])
                assert result["connections"] == 1
            finally:
                process.kill()
