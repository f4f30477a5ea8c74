# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a generated edge proxy and a minimal hand-written one in front of the same upstream: throughput, CPU time and p99.

Each Envoy has one worker thread. h2load keeps its connections, and sends the next request with each response. Rounds alternate between
both proxies, and each figure is the median of the ratios of all rounds, so that a machine that slows down slows both.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load_generators import TYPES, h2load
from many_endpoints import executable
from measure import Figure, MeasurementError, median, run_planner

ROUNDS = 9
WARM_UP = 2_000
READY_TIMEOUT = 60
FIRST_PORT = 29_900  # of the block of the generated proxy
HTTP, HTTPS, UPSTREAM, MINIMAL_HTTP, MINIMAL_HTTPS = range(FIRST_PORT + 40, FIRST_PORT + 45)
# 0.98 of the throughput, 1.03 of the CPU time and of the p99.
THROUGHPUT_BOUND, CPU_BOUND, P99_BOUND = 1.02, 1.03, 1.03

# Plans a demo with an edge proxy in front of an address, writes its files, and prints its command and its certificates.
PLAN = """
import json, pathlib, sys
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import file_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
folder, block, upstream, http, https = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])
routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]
ports = {"http": {"port": 8080, "publish": http}, "https": {"port": 8443, "publish": https, "tls": {}}}
listeners = {name: {**one, "routes": routes} for name, one in ports.items()}
clusters = {"upstream": {"address": "127.0.0.1", "port": upstream}}
demo = {"summary": "One edge", "ports": block, "proxies": {"edge": {"listeners": listeners, "clusters": clusters}}}
context = {"platform": "local", "folder": "/state", "app": ""}
context |= {one: {"executable": one} for one in ("envoy", "python", "statsd_exporter", "supervisord")}
plan = make_plan("bench", demo, context)
for one in plan["directories"]:
    (folder / one["path"]).mkdir(parents=True, exist_ok=True)
for one in plan["files"]:
    (folder / one["path"]).parent.mkdir(parents=True, exist_ok=True)
    (folder / one["path"]).write_bytes(file_bytes(one))
print(json.dumps([plan["workloads"][0]["command"], [one["path"] for one in plan["certificates"]]]))
"""


@dataclass(frozen=True)
class Protocol:
    """A protocol by which h2load sends requests.

    Attributes:
        name: The name in the figures.
        version: `http1` or `http2`.
        scheme: `http` or `https`.
        connections: The number of connections.
        streams: The number of requests at the same time on each connection.
        requests: The number of requests of a round.
    """

    name: str
    version: str
    scheme: str
    connections: int
    streams: int = 1
    requests: int = 15_000


PROTOCOLS = (
    Protocol("HTTP/1.1", "http1", "http", 32),
    Protocol("HTTP/2", "http2", "http", 8, 8),
    Protocol("HTTP/1.1 over TLS", "http1", "https", 32),
)


@dataclass(frozen=True)
class Round:
    """What one round measured: responses per second, microseconds of the proxy's CPU for a request, and the p99 in milliseconds."""

    rate: float
    microseconds: float
    p99: float


@dataclass(frozen=True)
class Edge:
    """A running proxy: its process, and its port by scheme."""

    pid: int
    ports: Mapping[str, int]


def minimal(upstream: int, ports: Mapping[str, int], certificate: Path) -> dict[str, Any]:
    """Return the least configuration of an edge proxy: a route to a cluster, without access log or any other option."""
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": _routes({"route": {"cluster": "upstream"}}),
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    files = {
        "certificate_chain": {"filename": str(certificate.with_suffix(".crt"))},
        "private_key": {"filename": str(certificate.with_suffix(".key"))},
    }
    tls = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [files], "alpn_protocols": ["h2", "http/1.1"]},
    }
    socket = {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls}}
    listeners = [
        {
            "name": scheme,
            "address": _address(port),
            "filter_chains": [{"filters": filters, **(socket if scheme == "https" else {})}],
        }
        for scheme, port in ports.items()
    ]
    endpoint = {"endpoint": {"address": _address(upstream)}}
    assignment = {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]}
    cluster = {"name": "upstream", "type": "STATIC", "load_assignment": assignment}
    return {"static_resources": {"listeners": listeners, "clusters": [cluster]}}


def responder(port: int) -> dict[str, Any]:
    """Return the configuration of the upstream: an Envoy that responds to each request."""
    config = minimal(port, {"http": port}, Path("none"))
    [listener] = config["static_resources"]["listeners"]
    [manager] = listener["filter_chains"][0]["filters"]
    answer = {"direct_response": {"status": 200, "body": {"inline_string": "hello" * 20}}}
    manager["typed_config"]["route_config"] = _routes(answer)
    return {"static_resources": {"listeners": [listener]}}


def _routes(action: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}]
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def planned_command(folder: Path) -> tuple[list[str], Path]:
    """Write the files of the generated proxy. Return the arguments of Envoy and the path of its certificate, without a suffix.

    Raises:
        MeasurementError: The planner failed.
    """
    printed = run_planner(PLAN, folder, FIRST_PORT, UPSTREAM, HTTP, HTTPS)
    command, [certificates] = json.loads(printed)
    (folder / certificates).mkdir(parents=True)
    return [*command[1:], "--disable-hot-restart"], folder / certificates / "tls"


def write_certificate(path: Path) -> None:
    """Write a self-signed certificate with its key, and as the certificate authority of the generated proxy."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-keyout", str(path.with_suffix(".key"))]
    subprocess.run([*command, "-out", str(path.with_suffix(".crt"))], check=True, capture_output=True)
    (path.parent / "ca.crt").write_bytes(path.with_suffix(".crt").read_bytes())


@contextlib.contextmanager
def running(envoy: str, arguments: Sequence[str], folder: Path, ports: Mapping[str, int]) -> Iterator[Edge]:
    """Yield an Envoy that responds on its port with HTTP, and end it. Its output is written to a file."""
    with open(folder / "output.log", "wb") as output:
        process = subprocess.Popen(
            [envoy, *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            until = time.monotonic() + READY_TIMEOUT
            while not _responds(ports["http"]):
                if process.poll() is not None or time.monotonic() > until:
                    raise MeasurementError(
                        f"an Envoy is not ready:\n{(folder / 'output.log').read_text()[-3000:]}"
                    )
                time.sleep(0.05)
            yield Edge(process.pid, ports)
        finally:
            process.terminate()
            process.wait(30)


def _responds(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response,
    ):
        return bool(response.status == 200)
    return False


def written(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Write a configuration to a new folder, and return the arguments of its Envoy."""
    folder.mkdir()
    (folder / "envoy.json").write_text(json.dumps(config))
    return ["--config-path", "envoy.json", "--concurrency", "1", "--disable-hot-restart"]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds, from the scheduler, whose unit is a nanosecond."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


def measured(edge: Edge, protocol: Protocol, requests: int, log: Path) -> Round:
    """Return what requests to a proxy cost.

    Raises:
        MeasurementError: A response is not 200.
    """
    url = f"{protocol.scheme}://127.0.0.1:{edge.ports[protocol.scheme]}/"
    used, began = cpu_seconds(edge.pid), time.monotonic()
    load = h2load(url, protocol.version, requests, protocol.connections, protocol.streams, log)
    seconds, used = time.monotonic() - began, cpu_seconds(edge.pid) - used
    if load.failed:
        raise MeasurementError(f"{load.failed} of {requests} requests to {url} failed")
    return Round(requests / seconds, used / requests * 1e6, load.p99)


def compared(name: str, generated: Sequence[Round], hand_written: Sequence[Round]) -> list[Figure]:
    """Return the figures of a protocol: the medians of the ratios of the rounds."""
    pairs = list(zip(generated, hand_written, strict=True))
    rates = [median([one.rate for one in rounds]) for rounds in (generated, hand_written)]
    used = [median([one.microseconds for one in rounds]) for rounds in (generated, hand_written)]
    p99 = [median([one.p99 for one in rounds]) for rounds in (generated, hand_written)]
    return [
        Figure(
            f"generated proxy, {name}: throughput",
            median([other.rate / own.rate for own, other in pairs]),
            THROUGHPUT_BOUND,
            "(minimal ÷ generated)",
            f"{rates[0]:.0f} responses/s, minimal {rates[1]:.0f}, medians of {len(pairs)} rounds",
        ),
        Figure(
            f"generated proxy, {name}: CPU of a request",
            median([own.microseconds / other.microseconds for own, other in pairs]),
            CPU_BOUND,
            "× minimal",
            f"{used[0]:.1f} µs, minimal {used[1]:.1f} µs",
        ),
        Figure(
            f"generated proxy, {name}: p99",
            median([own.p99 / other.p99 for own, other in pairs]),
            P99_BOUND,
            "× minimal",
            f"{p99[0]:.2f} ms, minimal {p99[1]:.2f} ms",
        ),
    ]


def figures(
    folder: Path, protocols: Sequence[Protocol] = PROTOCOLS, rounds: int = ROUNDS
) -> Iterator[Figure]:
    """Measure each protocol with both proxies."""
    home = folder / "proxies"
    home.mkdir()
    envoy = executable(home)
    generated, own = {"http": HTTP, "https": HTTPS}, {"http": MINIMAL_HTTP, "https": MINIMAL_HTTPS}
    arguments, certificate = planned_command(home / "generated")
    write_certificate(certificate)
    upstream = written(home / "upstream", responder(UPSTREAM))
    by_hand = written(home / "minimal", minimal(UPSTREAM, own, certificate))
    with (
        running(envoy, upstream, home / "upstream", {"http": UPSTREAM}),
        running(envoy, arguments, home / "generated", generated) as rendered,
        running(envoy, by_hand, home / "minimal", own) as hand_written,
    ):
        for protocol in protocols:
            edges: list[tuple[Edge, list[Round]]] = [(rendered, []), (hand_written, [])]
            for edge, _rounds in edges:
                measured(edge, protocol, min(WARM_UP, protocol.requests), home / "h2load.tsv")
            for number in range(rounds):
                for edge, found in edges if number % 2 else reversed(edges):
                    found.append(measured(edge, protocol, protocol.requests, home / "h2load.tsv"))
            yield from compared(protocol.name, edges[0][1], edges[1][1])
