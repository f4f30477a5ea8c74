# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test odd inputs that people posted: names of stats, HTTP answers, and configurations that Envoy or YAML refuses."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import module_answer
from real_envoy import Envoy, answering

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import (
    candidate,
    check_syntax,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import FileError
from ansible_collections.meshlab.envoy.plugins.modules import envoy_config, envoy_stats, http_traffic

OUTBOUND, QUOTED = "outbound|8080||web.shop.svc.cluster.local", 'naïve "quoted" \\ café'
CLUSTERS = (OUTBOUND, "Shop::API-v2.0", QUOTED, "127.0.0.1:8080")
# The assertions of case 20: numbers of clusters whose names have pipes, colons, quotes, backslashes and letters beyond ASCII.
STATS: list[dict[str, Any]] = [
    {"stat": f"cluster.{OUTBOUND}.membership_total"},
    {"match": r"cluster\.Shop.*API-v2\.0\.membership_total", "across": "sum"},
    {"match": r"cluster\.na.*caf.*\.membership_total", "across": "sum"},
    *({"source": "clusters", "stat": f"{name}.hosts"} for name in CLUSTERS),
    *({"source": "clusters", "stat": f"{name}.healthy"} for name in CLUSTERS),
]


def test_stats_of_odd_names_are_found(tmp_path: Path) -> None:
    """Case 20."""
    addresses = [
        {"socket_address": {"address": "::1", "port_value": 9}},
        {"pipe": {"path": "/run/none.sock"}},
    ]
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": one}} for one in addresses]}]
    clusters = [
        {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": "x", "endpoints": endpoints}}
        for name in CLUSTERS
    ]
    listener = answering(name="in.gress")
    envoy = Envoy(tmp_path, {"static_resources": {"listeners": [listener], "clusters": clusters}}).start()
    try:
        url = f"http://127.0.0.1:{envoy.port('in.gress')}/"
        sent = module_answer(http_traffic, {"url": url, "requests": 3})
        assert not sent["failed"], sent["msg"]
        assertions = [{**one, "op": "eq", "value": 2} for one in STATS]
        assertions.append({"stat": "http.in.gress.downstream_rq_total", "op": "eq", "value": 3})
        found = module_answer(envoy_stats, {"url": envoy.url, "assertions": assertions, "timeout": 10})
    finally:
        envoy.stop()
    assert not found["failed"], found["msg"]


# For each path of case 21, the bytes of the answer.
ANSWERS = {
    "/103": b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "/100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/304": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "/head": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    "/trailers": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-t: 1\r\n\r\n",
    "/many": b"HTTP/1.1 200 OK\r\n" + b"x-h: v\r\n" * 500 + b"content-length: 2\r\n\r\nok",
    "/bighead": b"HTTP/1.1 200 OK\r\nx-h: " + b"v" * 50_000 + b"\r\ncontent-length: 2\r\n\r\nok",
    "/dup": b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok",
    "/nolen": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
    "/http10": b"HTTP/1.0 200 OK\r\n\r\nok",
    "/noreason": b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
    "/600": b"HTTP/1.1 600 Odd\r\ncontent-length: 2\r\n\r\nok",
    "/utf8": "HTTP/1.1 200 Schön\r\nx-a: grün\r\ncontent-length: 2\r\n\r\nok".encode(),
    "/empty": b"HTTP/1.1 200 OK\r\nx-empty:\r\ncontent-length: 0\r\n\r\n",
    "/upper": b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 2\r\n\r\nok",
    "/lf": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
}
STATUSES = {"/204": "204", "/304": "304", "/600": "600"}
CLOSED_AFTER = ("/nolen", "/http10")


class OddAnswers(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            path = line.split()[1].decode()
            while self.rfile.readline().strip():
                pass
            self.wfile.write(ANSWERS[path])
            if path in CLOSED_AFTER:
                return


class OddServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with OddServer(("127.0.0.1", 0), OddAnswers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.mark.parametrize("path", ANSWERS)
def test_odd_answer_is_counted(server: str, path: str) -> None:
    """Case 21."""
    expected = {"status": STATUSES.get(path, "200"), "op": "eq", "value": 3}
    method = "HEAD" if path == "/head" else "GET"
    options = {"url": f"{server}{path}", "method": method, "requests": 3, "timeout": 20, "expect": [expected]}
    result = module_answer(http_traffic, options)
    assert not result["failed"], result["msg"]


@pytest.mark.parametrize("value", ["a=1", "b=2"])
def test_repeated_header_is_a_list(server: str, value: str) -> None:
    expected = {"header": {"name": "set-cookie", "value": value}, "op": "eq", "value": 2}
    result = module_answer(http_traffic, {"url": f"{server}/dup", "requests": 2, "expect": [expected]})
    assert not result["failed"], result["msg"]
    assert result["traffic"][0]["headers"]["set-cookie"] == {"a=1": 2, "b=2": 2}


POSTED = """\
static_resources:
  listeners:
    - name: listener_0
      address: {socket_address: {address: 127.0.0.1, port_value: 10080}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress_http
                route_config: {name: r, virtual_hosts: [{name: v, domains: ["*"], routes: [ROUTE]}]}
                http_filters: [{name: envoy.filters.http.router, typed_config: {"@type": ROUTER}}]
  clusters:
    - {name: my_service, connect_timeout: 0.25s, type: STATIC}
""".replace("ROUTER", "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router").replace(
    "ROUTE", "{match: {prefix: /}, route: {cluster: my_service}}"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("connect_timeout: 0.25s", "connect_timeout: 250ms", "envoy.yaml line 14: duration must end with a single 's'"),
        ("type: STATIC", "type: LOGICAL-DNS", "envoy.yaml line 14: unknown enum value: 'LOGICAL-DNS'"),
        ("port_value: 10080", 'port_value: "${PORT}"', "envoy.yaml line 4: invalid number: '${PORT}'"),
        ("type: STATIC", "type: STATIC, endpoint: []", "envoy.yaml line 14: no such field: 'endpoint'"),
        ("type: STATIC", "type: STATIC, hosts: []", "envoy.yaml line 14: no such field: 'hosts'"),
        ("cluster: my_service", "cluster: my_servise", "envoy.yaml line 11: route: unknown cluster 'my_servise'"),
        ("prefix: /}", 'safe_regex: {regex: "(a"}}', "envoy.yaml line 11: missing ): (a"),
        ('"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router', "",
         "envoy.yaml line 12: Didn't find a registered implementation for 'envoy.filters.http.router'"),
        ('["*"]', '[a.com, "*", "*"]', "envoy.yaml: Only a single wildcard domain is permitted"),
        ("  clusters:", "\tclusters:", "envoy.yaml line 13: not YAML: a tab indents this line"),
        ("  clusters:", "  listeners: []\n  clusters:", "envoy.yaml line 13: the key 'listeners' is already in line 2."),
    ],
)  # fmt: skip
def test_posted_configuration_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """Case 22."""
    text = POSTED.replace(old, new)
    assert text != POSTED
    assert message in refusal(tmp_path / "envoy", text)
    assert not (tmp_path / "envoy" / "envoy.yaml").exists()


def refusal(folder: Path, text: str) -> str:
    """Return why envoy_config refuses a configuration."""
    proxy = {"name": "envoy", "bootstrap": "envoy.yaml"}
    try:
        check_syntax("envoy.yaml", text)
        checked = candidate(proxy, {"envoy.yaml": text})
    except FileError as error:
        return str(error)
    result = module_answer(
        envoy_config,
        {
            "folder": str(folder),
            "files": [{"path": "envoy.yaml", "content": text}],
            "proxies": [{**proxy, "candidate": checked}],
            "envoy": {"executable": os.environ["MESHLAB_ENVOY"]},
        },
    )
    assert result["failed"]
    return str(result["msg"])
