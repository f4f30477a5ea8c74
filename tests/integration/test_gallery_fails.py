# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each demo of the gallery a run in which what it is about does not happen, which it must say.

The demos of the foundation have tests that go further: test_demos.py and test_demos_expectations.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from deployment import Deployment
from live import DEMOS, FOUNDATION, PLATFORMS, Home, demo_data, unsupported_on

Data = dict[str, Any]


@dataclass(frozen=True)
class Wrong:
    """What else runs, or what else is sent, than the demo says; and parts of the sentences that must tell it."""

    told: tuple[str, ...]
    runs: Data = field(default_factory=dict)
    sent: Data = field(default_factory=dict)
    # For how long the numbers are looked at. What tells of them is told later, where it is no Envoy: by the report, by the collector.
    seconds: float = 0.5


def edge(listener: str = "http", **changes: Any) -> Data:
    return {"proxies": {"edge": {"listeners": {listener: changes}}}}


def traffic(name: str, **changes: Any) -> Data:
    return {"traffic": {name: changes}}


def to(cluster: str, prefix: str = "/") -> list[Data]:
    return [{"match": {"prefix": prefix}, "route": {"cluster": cluster}}]


def not_packed(encoding: str) -> Wrong:
    return Wrong(
        (
            f"clients that take {encoding}: expected 20 answers with header content-encoding: {encoding}, saw 0",
            f"clients that take {encoding}: expected 36000 to 40000 bytes for each body, saw 100000",
            "response.compressed at edge: expected delta eq 20, saw 0",
        ),
        runs=edge("packed", http_filters=[]),
    )


# It asks for a page that there is not.
SCRAPES_NO_EXPORTER = """
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: envoy
    metrics_path: /stats/prometheus
    static_configs: [{targets: ["${web/admin.host}:${web/admin.port}"]}]
  - job_name: statsd_exporter
    metrics_path: /no-metrics
    static_configs: [{targets: ["${statsd_exporter.host}:${statsd_exporter.port}"]}]
"""
GREEN = demo_data("dynamic_config_fs", 0)["changes"]["green"]
WRONG = {
    "brotli": not_packed("br"),
    "gzip": not_packed("gzip"),
    "zstd": not_packed("zstd"),
    "cache": Wrong(
        (
            "kept: expected at least 99 answers with header age, saw 0",
            "expected sum delta eq 223, saw 0",
            "cluster.web.upstream_rq_total at edge: expected delta between 101 and 104, saw 223",
        ),
        runs=edge(http_filters=[]),
    ),
    "cors": Wrong(
        (
            "requests of the shop: expected 30 answers with header access-control-allow-origin: https://shop.example.com, saw 0",
            "http.http.cors.origin_valid at edge: expected delta eq 50, saw 20",
        ),
        sent=traffic("requests of the shop", headers={"origin": "https://shop.example.org"}),
    ),
    "csrf": Wrong(
        (
            "another site: expected 15 answers with status 403, saw 0 (15 × 200)",
            "http.http.csrf.request_valid at edge: expected delta eq 40, saw 55",
        ),
        sent=traffic("another site", host="evil.example.org"),
    ),
    "double_proxy": Wrong(
        (
            "clients without a certificate: expected 5 errors, saw 0",
            "listener.mtls.ssl.no_certificate at database-1: expected delta eq 0, saw ",
            "cluster.database.upstream_cx_tx_bytes_total at database-1: expected delta eq ",
        ),
        runs={"services": {"database": {"sidecar": {"listeners": {"mtls": {"tls": {"client_certificate": False}}}}}}},
    ),
    "dynamic_config_cp": Wrong(
        (
            "v2 is there: expected 1 answer with a body matching '^v2$', saw 0",
            "everybody, after: expected 50 answers with header x-app-version: v2, saw 0 (50 × x-app-version: v1)",
            "http.http.rds.routes.update_success at edge: expected delta between 3 and 4, saw 2",
        ),
        # The control plane is not told.
        sent={"traffic": {"v2 is to be given": {"path": "/v1"}, "v2 is there": {"within": 0.1}}},
    ),
    "dynamic_config_fs": Wrong(
        (
            "everybody, after the change: expected 50 answers with header x-app-version: green, saw 0 (50 × x-app-version: blue)",
            "cluster.next.upstream_rq_200 at edge: expected delta eq 50, but it is not there",
            "listener_manager.listener_in_place_updated at edge: expected ge 1, saw 0",
        ),
        # What its change expects, where it was not made.
        sent={key: GREEN[key] for key in ("traffic", "expectations")},
    ),
    "ext_authz": Wrong(
        (
            "unknown, over HTTP: expected 15 answers with status 401, saw 0 (15 × 200)",
            "cluster.web.upstream_rq_total at edge: expected delta eq 103, saw 118",
        ),
        runs=edge("http", http_filters=[]),
    ),
    "grpc_bridge": Wrong(
        (
            "what is sea, which nobody said: expected 8 answers with status 503, saw 0 (8 × 200)",
            "cluster.kv.grpc.kv.KV.Get.failure at edge: expected delta eq 12, saw 4",
            "what is sky: expected 30 answers with header grpc-status: 0, saw 0",
        ),
        runs=edge("framed", http_filters=[]),
    ),
    "load_reporting_service": Wrong(
        (
            'load_requests_total{cluster="web",result="error"} at load-1/app: expected delta eq 12, saw 0',
            'load_requests_total{cluster="web",result="success"} at load-1/app: expected delta eq 107, saw ',
        ),
        sent=traffic("failed by web", path="/status/404"),
        seconds=3,
    ),
    "local_ratelimit": Wrong(
        (
            "all at once: expected 20 to 100 answers with status 200, saw 200",
            "50 a second: expected a share of 0.07 to 0.4 of answers with status 200, saw 1",
        ),
        runs=edge(routes=[{"match": {"prefix": "/"}, "route": {"cluster": "web", "prefix_rewrite": "/healthz?"}}]),
    ),
    "locality_load_balancing": Wrong(
        (
            "with all of them: expected 100 answers with header x-app-version: near, saw ",
            "with none of four: expected 100 answers with header x-app-version: far, saw ",
        ),
        runs={"proxies": {"edge": {"clusters": {"web": {"cluster": {"health_checks": []}}}}}},
        sent={
            "traffic": {
                # Not the ten seconds that they may take; and far is asked before, so that near is not alone.
                "with all of them": {"within": 0.1, "path": "/", "to": "edge", "requests": 90},
                **{f"with {which}": {"within": 0.1} for which in ("three of four", "two of four", "none of four")},
                "with all of them again": {"within": 0.1},
            }
        },
    ),
    "lua": Wrong(
        (
            "without a token: expected 10 answers with status 401, saw 0 (10 × 200)",
            "with a good token: expected 30 answers with header x-body-bytes: 1234, saw 0",
        ),
        runs=edge(http_filters=[], routes=to("web")),
    ),
    "lua_cluster_specifier": Wrong(
        (
            "with plan gold: expected 30 answers with header x-app-version: gold, saw 0 (30 × x-app-version: basic)",
            "cluster.gold.upstream_rq_200 at edge: expected delta eq 35, ",
        ),
        runs=edge(routes=to("basic")),
    ),
    "opentelemetry": Wrong(
        (
            "requests without a trace: expected 63 answers with a body matching ",
            'otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"} at collector-1/telemetry: expected delta eq 83, saw 0',
            'otelcol_receiver_accepted_spans_total{receiver="otlp",transport="http"} at collector-1/telemetry: expected delta eq 83, saw 0',
        ),
        runs=edge(http_connection_manager={"tracing": {"random_sampling": {"value": 0}}}),
    ),
    "prometheus": Wrong(
        (
            # It still shows what it held before, which is not what there is now.
            'promql envoy_cluster_upstream_rq{job="statsd_exporter", envoy_cluster_name="web", envoy_response_code="200"}',
        ),
        runs={"services": {"prometheus": {"server": {"files": {"prometheus.yml": SCRAPES_NO_EXPORTER}}}}},
        sent=traffic("whether it scrapes both", within=0.1),
        seconds=3,
    ),
    "rbac": Wrong(
        (
            "readers who write: expected 10 answers with status 403, saw 0",
            "readers who go round about: expected 10 answers with status 403, saw 0 (10 × 200)",
            "http.http.rbac.denied at edge: expected delta eq 35, saw 0",
        ),
        runs=edge(http_filters=[]),
    ),
    "redis": Wrong(
        ("a counter, counted up: expected 1 answer with a body matching '^:100\\\\r', saw 0",),
        runs={"proxies": {"edge": {"clusters": {"shard": {"cluster": {"lb_policy": "ROUND_ROBIN"}}}}}},
    ),
    "route_mirror": Wrong(
        (
            "cluster.v2.upstream_rq_200 at edge: expected delta eq 120, ",
            "cluster.half.upstream_rq_200 at edge: expected delta ",
        ),
        runs=edge(routes=to("v1")),
    ),
    "tls": Wrong(
        (
            "taken off, but for TLS 1.2: expected 5 tls errors, saw 0",
            "listener.taken_off.ssl.handshake at edge: expected delta eq 20, saw 21",
        ),
        runs=edge(
            "taken_off",
            tls={"context": {"common_tls_context": {"tls_params": {"tls_minimum_protocol_version": "TLSv1_2"}}}},
        ),
    ),
    "tls_inspector": Wrong(
        (
            "tls_inspector.tls_not_found at edge: expected delta eq 20, saw 0",
            "tls_inspector.tls_found at edge: expected delta eq 40, saw 60",
            "tls_inspector.alpn_found at edge: expected delta eq 30, saw 60",
            "tls_inspector.alpn_not_found at edge: expected delta eq 10, saw 0",
            "tls_inspector.sni_found at edge: expected delta eq 30, saw 60",
            "tls_inspector.sni_not_found at edge: expected delta eq 10, saw 0",
        ),
        sent={
            "traffic": {
                "no TLS": {"scheme": "https"},
                "TLS without a protocol and a name": {"alpn": ["h2"], "server_name": "localhost"},
            }
        },
    ),
    "tls_sni": Wrong(
        (
            "the bank: expected 30 answers with header x-app-version: bank, saw 0",
            "listener.https.no_filter_chain_match at edge: expected delta eq 10, saw 40",
        ),
        runs=edge("https", filter_chains={"bank": {"match": {"server_names": ["bench.example.com"]}}}),
    ),
    "udp": Wrong(
        (
            "a client for each datagram: expected answers from 2 hosts, saw 1 (20 × echo-1)",
            "a client for each datagram: expected a spread over the hosts of at most 0.2, saw 2",
            "udp.datagrams.downstream_sess_rx_datagrams at edge: expected delta eq 70, saw 60",
            "udp.datagrams.downstream_sess_tx_datagrams at edge: expected delta eq 70, saw 60",
        ),
        runs={"services": {"echo": {"replicas": 1}}},
        sent=traffic("one client", requests=40),
    ),
    "websocket": Wrong(
        (
            "messages: messages answered: expected 200 answers with status 101, saw 0 (200 × 403)",
            "http.plain.downstream_cx_upgrades_total at edge: expected delta between 12 and 15, ",
        ),
        runs=edge("plain", routes=to("web")),
    ),
    "zipkin": Wrong(
        (
            "requests of a trace that is not: expected 10 answers with a body matching",
            'zipkin_collector_spans_total{transport="http"} at zipkin-1/app: expected delta eq 294, saw ',
            "tracing.zipkin.spans_sent at web-1: expected delta eq 98, saw ",
        ),
        sent=traffic("requests of a trace that is not", headers={"x-b3-sampled": "1"}),
        seconds=3,
    ),
}  # fmt: skip
# For how long what holds may take to show, in seconds: it ends when it shows, and a machine may stand still for a while.
PATIENCE = 60
OTHERS = [name for name in DEMOS if name not in FOUNDATION]


# Each on the first platform that it fits; one after the other, so that no two of them take a range of ports.
PLACES = [
    (next(platform for platform in PLATFORMS if not unsupported_on(name, platform)), name) for name in OTHERS
]


@pytest.fixture(scope="module")
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    one = Home(request.param)
    yield one
    one.close()


def test_each_demo_has_a_run_in_which_it_must_fail() -> None:
    assert sorted(WRONG) == OTHERS


@pytest.mark.parametrize(("home", "name"), PLACES, indirect=["home"])
def test_a_demo_holds_at_any_time_and_fails_where_it_must(home: Home, name: str) -> None:
    deployment, wrong = Deployment(home, name), WRONG[name]
    right = deployment.plan()
    try:
        first = deployment.run(right)
        assert not first["failed"], first["msg"]
        for _time in range(2):
            held = deployment.verify(right, PATIENCE)
            assert not held["failed"], held["msg"]
            assert deployment.run(right)["changed"] is False
        if wrong.runs:
            other = deployment.run(deployment.plan(wrong.runs))
            assert not other["failed"], other["msg"]
        failed = deployment.verify(deployment.plan(wrong.sent), wrong.seconds)
        assert failed["failed"]
        for sentence in wrong.told:
            assert sentence in failed["msg"]
    finally:
        deployment.run(right, state="absent")
    assert home.left(name) == []
