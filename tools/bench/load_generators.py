# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure http_traffic and h2load on the same Envoy: requests per second of one processor, and the latencies of both.

A direct response of one Envoy with one worker thread, on loopback, in a closed loop with kept connections. The rate is the number of
requests by the processor time of the sender, with the start of its process, so that it does not depend on what else the machine runs.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from many_endpoints import executable, fetch, started
from measure import ROOT, Figure, MeasurementError, median

GOALS = {"http1": 15, "http2": None}  # thousand requests per second of one processor
REQUESTS = {"http1": 60_000, "http2": 10_000}
CONNECTIONS = {"http1": 128, "http2": 8}
STREAMS = 16  # of HTTP/2
ROUNDS = 3
TIMEOUT = 300
TYPES = "type.googleapis.com/envoy.extensions.filters"
_SEND = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
result = send_traffic(parse_traffic([json.loads(sys.argv[2])])[0])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({**result, "processor": used.ru_utime + used.ru_stime}))
"""


@dataclass(frozen=True)
class Load:
    """What a load generator reports: responses with 200, all others, processor seconds, and latencies in milliseconds."""

    succeeded: int
    failed: int
    processor: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """The requests per second of processor time."""
        return (self.succeeded + self.failed) / self.processor


def listener(port: int = 0) -> dict[str, Any]:
    """Return a listener that responds to each request of HTTP/1.1 and HTTP/2 with 200."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "load",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"},
            }
        ],
    }
    return {
        "name": "load",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def h2load(url: str, protocol: str, requests: int, connections: int, streams: int, log: Path) -> Load:
    """Return what h2load reports of a closed loop. Raises MeasurementError."""
    command = ["h2load", f"--requests={requests}", f"--clients={connections}", f"--log-file={log}"]
    command += ["--h1"] if protocol == "http1" else [f"--max-concurrent-streams={streams}"]
    log.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False, timeout=TIMEOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise MeasurementError(f"h2load ended with exit status {done.returncode}: {done.stderr[-500:]}")
    rows = [line.split("\t") for line in log.read_text(encoding="utf-8").splitlines()]
    times = sorted(int(row[2]) / 1000 for row in rows)
    succeeded = sum(row[1] == "200" for row in rows)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Load(succeeded, requests - succeeded, used, quantile(times, 0.5), quantile(times, 0.99))


def http_traffic(url: str, protocol: str, requests: int, connections: int, streams: int, root: str) -> Load:
    """Return what the sender of http_traffic reports of a closed loop, in one process. Raises MeasurementError."""
    entry: dict[str, Any] = {"url": url, "protocol": protocol, "requests": requests, "timeout": 60}
    entry["concurrency"] = connections * (streams if protocol == "http2" else 1)
    entry |= {"streams": streams} if protocol == "http2" else {}
    command = [sys.executable, "-c", _SEND, root, json.dumps(entry)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    if done.returncode:
        raise MeasurementError(f"http_traffic ended with exit status {done.returncode}: {done.stderr[-500:]}")
    result = json.loads(done.stdout)
    succeeded, latency = result["statuses"].get("200", 0), result["latency_ms"]
    return Load(succeeded, result["sent"] - succeeded, result["processor"], latency["p50"], latency["p99"])


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figures(folder: Path) -> Iterator[Figure]:
    """Measure both load generators with HTTP/1.1 and HTTP/2."""
    root = str(ROOT / ".venv" / "collections")
    with started(executable(folder), folder, 1, listeners=[listener()]) as [admin]:
        url = f"http://127.0.0.1:{listener_port(admin)}/"
        http_traffic(url, "http2", 1, 1, 1, root)  # installs the libraries
        for protocol, version in (("http1", "HTTP/1.1"), ("http2", "HTTP/2")):
            requests, size = REQUESTS[protocol], (CONNECTIONS[protocol], STREAMS)
            own, other = [], []
            for _round in range(ROUNDS):
                counted = requests_of(admin)
                own.append(http_traffic(url, protocol, requests, *size, root))
                other.append(h2load(url, protocol, requests, *size, folder / "h2load.tsv"))
                check_counts(own[-1], other[-1], requests_of(admin) - counted)
            mine, rate = middle(own), median([one.rate for one in own])
            theirs, other_rate = middle(other), median([one.rate for one in other])
            detail = (
                f"{requests} requests over {size[0]} connections, as many in Envoy's stats:"
                f" http_traffic {rate:.0f}/s, p50 {mine.p50:.2f} ms, p99 {mine.p99:.2f} ms;"
                f" h2load {other_rate:.0f}/s, p50 {theirs.p50:.2f} ms, p99 {theirs.p99:.2f} ms"
            )
            yield Figure(
                f"load over {version}",
                rate / 1000,
                GOALS[protocol],
                "thousand requests/s of a processor",
                detail,
                at_least=True,
            )


def check_counts(own: Load, other: Load, counted: int) -> None:
    """Raise MeasurementError unless both generators and Envoy count the same requests."""
    if own.failed or other.failed or own.succeeded != other.succeeded or counted != own.succeeded * 2:
        raise MeasurementError(
            f"http_traffic counts {own.succeeded} responses and {own.failed} failures, h2load {other.succeeded} and {other.failed},"
            f" Envoy {counted} requests of both"
        )


def middle(loads: Sequence[Load]) -> Load:
    """Return the load with the median p99."""
    return sorted(loads, key=lambda one: one.p99)[len(loads) // 2]


def requests_of(admin: int) -> int:
    """Return the requests that Envoy has counted."""
    text = fetch(admin, "/stats?filter=^http.load.downstream_rq_completed$").decode()
    return int(text.rpartition(":")[2])


def listener_port(admin: int) -> int:
    """Return the port of the listener."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for line in fetch(admin, "/listeners").decode().splitlines():
            if line.startswith("load::"):
                return int(line.rpartition(":")[2])
        time.sleep(0.02)
    raise MeasurementError("the listener of the Envoy does not exist after 60 s")
