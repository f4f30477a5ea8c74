# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load with http_traffic: the same counts as h2load and Envoy, latencies that show a stall, and a load on a running demo."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import load_generators
import pytest
from cases import CaseDeployment, PortBlock, case_data
from envoys import binary
from many_endpoints import started
from measure import ROOT

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import LiveCounts
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import TrafficSignals
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

STALL = 0.6  # seconds


def test_counts_equal_those_of_h2load_and_envoy(tmp_path: Path) -> None:
    assert shutil.which("h2load"), "h2load is missing. Run tests/lab/up, or install nghttp2-client."
    listener = load_generators.listener()
    root = str(ROOT / ".venv" / "collections")
    with started(str(binary(NEWEST)), tmp_path, 1, listeners=[listener]) as [admin]:
        url = f"http://127.0.0.1:{load_generators.listener_port(admin)}/"
        for protocol, connections in (("http1", 101), ("http2", 2)):
            before = load_generators.requests_of(admin)
            own = load_generators.http_traffic(url, protocol, 1000, connections, 5, root)
            other = load_generators.h2load(url, protocol, 1000, connections, 5, tmp_path / "h2load.tsv")
            assert (own.succeeded, other.succeeded) == (1000, 1000)
            load_generators.check_counts(own, other, load_generators.requests_of(admin) - before)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Permit as many open files as the user may have, also to the Envoy that the test starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_connections_phases_and_warm_up_are_counted_exactly(tmp_path: Path) -> None:
    ramp = {"duration": 0.5, "rate": 200, "to_rate": 600}
    loads = [
        # 2,000 connections, each with two requests
        ({"requests": 4000, "concurrency": 2000, "processes": 2, "timeout": 60}, 4000, 4000),
        # 200 requests of the ramp and 300 of the step. 72 of the ramp are due before 0.24 s, and are not counted.
        ({"phases": [ramp, {"duration": 0.5, "rate": 600}], "warm_up": 0.24, "timeout": 60}, 500, 428),
    ]
    with started(str(binary(NEWEST)), tmp_path, 1, listeners=[load_generators.listener()]) as [admin]:
        url = f"http://127.0.0.1:{load_generators.listener_port(admin)}/"
        for keys, received, counted in loads:
            before = load_generators.requests_of(admin)
            [traffic] = parse_traffic([{"url": url, **keys}])
            result = send_traffic(traffic)
            assert result["statuses"] == {"200": counted}
            assert load_generators.requests_of(admin) - before == received
            if "concurrency" in keys:
                assert result["connections"] == 2000


@pytest.fixture
def stalling_port() -> Iterator[int]:
    """Return the port of a server that serves one connection, and once waits for STALL seconds before a response."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        requests = 0

        def do_GET(self) -> None:
            Handler.requests += 1
            if Handler.requests == 20:
                time.sleep(STALL)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "pace",
    [
        pytest.param({"rate": 100, "duration": 1.5}, id="threads"),
        pytest.param({"phases": [{"rate": 100, "duration": 1.5}]}, id="process"),
    ],
)
def test_stall_of_a_server_delays_all_requests_of_its_time(stalling_port: int, pace: dict[str, Any]) -> None:
    [traffic] = parse_traffic([{"url": f"http://127.0.0.1:{stalling_port}/", "concurrency": 1, **pace}])
    result = send_traffic(traffic)
    assert (result["sent"], result["statuses"], result["connections"]) == (150, {"200": 150}, 1)
    # 60 of 150 requests are due during the stall. Only one of them is sent in it, so its own time would not change the p99.
    latency = result["latency_ms"]
    assert latency["p99"] is not None
    assert latency["p99"] > 900 * STALL
    assert latency["p90"] is not None
    assert latency["p90"] > 500 * STALL


def test_load_on_a_running_demo_is_counted_by_envoy(
    deployment: Callable[[str], CaseDeployment], block: PortBlock
) -> None:
    made = deployment("local")
    data = case_data("protocols.yml", block)
    deployed = made.deploy(data)["deployed"]
    for to, protocol in (("edge/http", "http1"), ("edge/quic", "http3")):
        load = {"to": to, "rate": 200, "for": "1s"}
        planned = made.plan(data, deployed=deployed, load=load)
        signals = TrafficSignals(LiveCounts())
        signals.end(at_once=False)
        [entry] = planned["traffic"]
        result = send_traffic(parse_traffic([entry])[0], signals)
        assert result["statuses"] == {"200": 200}, protocol
        assert signals.counts is not None
        assert signals.counts.failed == 0
        name = to.partition("/")[2]
        planned["traffic"] = []
        planned["assertions"] = [
            # Since the start of the Envoy, which had no other request.
            {"endpoint": ["edge"], "stat": f"http.{name}.downstream_rq_completed", "op": "eq", "value": 200}
        ]
        assert made.failures(planned) == []
