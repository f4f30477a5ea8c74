# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each demo of the gallery fails when the feature that it demonstrates is missing.

The demos of live.FOUNDATION have more tests: test_demos.py and test_demos_expectations.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import gallery_faults
import pytest
from deployment import Deployment, failure_messages
from gallery_faults import Fault, edge, to, traffic
from live import DEMOS, FOUNDATION, PLATFORMS, REPRESENTATIVE, Home, demo_data, unsupported_on
from message_parts import contains
from rotation import names_of_week


def without_compression(encoding: str) -> Fault:
    return Fault(
        (
            f"expected 20, got 0 (answers with header content-encoding: {encoding} of traffic clients that accept {encoding})",
            f"expected 36000 to 40000, got 100000 (mean bytes of a body of traffic clients that accept {encoding})",
            "expected 20, got 0 (delta of …response.compressed at edge)",
        ),
        deployed=edge("compressed", http_filters=[]),
    )


# Prometheus requests a path that does not exist.
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
FAULTS = {
    **gallery_faults.FAULTS,
    "brotli": without_compression("br"),
    "gzip": without_compression("gzip"),
    "zstd": without_compression("zstd"),
    "cache": Fault(
        (
            "expected at least 99, got 0 (answers with header age of traffic fresh for an hour)",
            "expected 223, got 0 (sum of delta of ",
            "expected 101 to 104, got 223 (delta of cluster.web.upstream_rq_total at edge)",
        ),
        deployed=edge(http_filters=[]),
    ),
    "cors": Fault(
        (
            ("expected 30, got 0 (answers with header access-control-allow-origin: https://shop.example.com"
             " of traffic requests of the shop)"),
            "expected 50, got 20 (delta of http.http.cors.origin_valid at edge)",
        ),
        verified=traffic("requests of the shop", headers={"origin": "https://shop.example.org"}),
    ),
    "csrf": Fault(
        (
            "expected 15, got 0 (answers with status 403 of traffic another site). Other answers: 15 × 200",
            "expected 40, got 55 (delta of http.http.csrf.request_valid at edge)",
        ),
        verified=traffic("another site", host="evil.example.org"),
    ),
    "double_proxy": Fault(
        (
            "expected 5, got 0 (errors of traffic clients without a certificate)",
            "expected 0, got … (delta of listener.mtls.ssl.no_certificate at database-1)",
            "expected …, got … (delta of cluster.database.upstream_cx_tx_bytes_total at database-1)",
        ),
        deployed={"services": {"database": {"sidecar": {"listeners": {"mtls": {"tls": {"client_certificate": False}}}}}}},
    ),
    "dynamic_config_cp": Fault(
        (
            "expected 1, got 0 (answers with a body that matches '^v2$' of traffic v2 is active)",
            "expected 50, got 0 (answers with header x-app-version: v2 of traffic all requests, to v2). Answers: 50 × x-app-version: v1",
            "expected 3 to 4, got 2… (delta of http.http.rds.routes.update_success at edge)",
        ),
        # The control plane keeps v1.
        verified={"traffic": {"select v2": {"path": "/v1"}, "v2 is active": {"within": 0.1}}},
    ),
    "dynamic_config_fs": Fault(
        (
            ("expected 50, got 0 (answers with header x-app-version: green"
             " of traffic all requests, after the change). Answers: 50 × x-app-version: blue"),
            "expected 50, got no value (delta of cluster.next.upstream_rq_200 at edge) after",
            "expected at least 2, got 1 (http.http.rds.http.config_reload at edge)",
        ),
        # The expectations of the change, without the change.
        verified={key: GREEN[key] for key in ("traffic", "expectations")},
    ),
    "ext_authz": Fault(
        (
            "expected 15, got 0 (answers with status 401 of traffic unknown, over HTTP). Other answers: 15 × 200",
            "expected 103, got 118 (delta of cluster.web.upstream_rq_total at edge)",
        ),
        deployed=edge("http", http_filters=[]),
    ),
    "grpc_bridge": Fault(
        (
            "expected 8, got 0 (answers with status 503 of traffic get a missing key). Other answers: 8 × 200",
            "expected 12, got 4… (delta of cluster.kv.grpc.kv.KV.Get.failure at edge)",
            "expected 30, got 0 (answers with header grpc-status: 0 of traffic get sky)",
        ),
        deployed=edge("framed", http_filters=[]),
    ),
    "load_reporting_service": Fault(
        (
            'expected 12, got 0 (delta of load_requests_total{cluster="web",result="error"} at load-1/app)',
            'expected 107, got … (delta of load_requests_total{cluster="web",result="success"} at load-1/app)',
        ),
        verified=traffic("errors of web", path="/status/404"),
        seconds=3,
    ),
    "local_ratelimit": Fault(
        (
            "expected 20 to 100, got 200 (answers with status 200 of traffic all at once)",
            "expected 0.07 to 0.4, got 1 (share of answers with status 200 of traffic 50 each second)",
        ),
        deployed=edge(routes=[{"match": {"prefix": "/"}, "route": {"cluster": "web", "prefix_rewrite": "/healthz?"}}]),
    ),
    "locality_load_balancing": Fault(
        (
            "(answers with header x-app-version: near of traffic with all of four)",
            "(answers with header x-app-version: far of traffic with none of four)",
        ),
        deployed={"proxies": {"edge": {"clusters": {"web": {"cluster": {"health_checks": []}}}}}},
        verified={
            "traffic": {
                # Not the usual time limit. The first traffic takes part in the rotation, so that far gets requests, too.
                "with all of four": {"within": 0.1, "path": "/", "to": "edge", "requests": 90},
                **{f"with {which}": {"within": 0.1} for which in ("three of four", "two of four", "none of four")},
                "with all of four again": {"within": 0.1},
            }
        },
    ),
    "lua": Fault(
        (
            "expected 10, got 0 (answers with status 401 of traffic without a token). Other answers: 10 × 200",
            "expected 30, got 0 (answers with header x-body-bytes: 1234 of traffic with a valid token)",
        ),
        deployed=edge(http_filters=[], routes=to("web")),
    ),
    "lua_cluster_specifier": Fault(
        (
            "expected 30, got 0 (answers with header x-app-version: gold of traffic with plan gold). Answers: 30 × x-app-version: basic",
            "expected 35, got … (delta of cluster.gold.upstream_rq_200 at edge)",
        ),
        deployed=edge(routes=to("basic")),
    ),
    "opentelemetry": Fault(
        (
            (
                "expected 63, got 0 (answers with a body that matches '\"traceparent\": \"00-[0-9a-f]{32}-[0-9a-f]{16}-01\"' "
                "of traffic requests without a trace)"
            ),
            (
                'expected 83, got 0 (delta of otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"}'
                " at collector-1/telemetry)"
            ),
            (
                'expected 83, got 0 (delta of otelcol_receiver_accepted_spans_total{receiver="otlp",transport="http"}'
                " at collector-1/telemetry)"
            ),
        ),
        deployed=edge(http_connection_manager={"tracing": {"random_sampling": {"value": 0}}}),
    ),
    "prometheus": Fault(
        (
            # Prometheus still returns the previous value, which differs from the exporter's.
            'promql envoy_cluster_upstream_rq{job="statsd_exporter", envoy_cluster_name="web", envoy_response_code="200"}',
        ),
        deployed={"services": {"prometheus": {"server": {"files": {"prometheus.yml": SCRAPES_NO_EXPORTER}}}}},
        verified=traffic("all targets are up", within=0.1),
        seconds=3,
    ),
    "rbac": Fault(
        (
            "expected 10, got 0 (answers with status 403 of traffic readers that write)",
            "expected 10, got 0 (answers with status 403 of traffic readers with an indirect path). Other answers: 10 × 200",
            "expected 35, got 0 (delta of http.http.rbac.denied at edge)",
        ),
        deployed=edge(http_filters=[]),
    ),
    "redis": Fault(
        ("expected 1, got 0 (answers with a body that matches '^:100\\\\r' of traffic increment a counter)",),
        deployed={"proxies": {"edge": {"clusters": {"shard": {"cluster": {"lb_policy": "ROUND_ROBIN"}}}}}},
    ),
    "route_mirror": Fault(
        (
            "expected 120, got … (delta of cluster.v2.upstream_rq_200 at edge)",
            "expected …, got … (delta of cluster.half.upstream_rq_200 at edge)",
        ),
        deployed=edge(routes=to("v1")),
    ),
    "tls": Fault(
        (
            "expected 5, got 0 (tls errors of traffic termination, with TLS 1.2)",
            "expected 20, got 21 (delta of listener.terminated.ssl.handshake at edge)",
        ),
        deployed=edge(
            "terminated",
            tls={"context": {"common_tls_context": {"tls_params": {"tls_minimum_protocol_version": "TLSv1_2"}}}},
        ),
    ),
    "tls_inspector": Fault(
        (
            "expected 20, got 0 (delta of tls_inspector.tls_not_found at edge)",
            "expected 40, got 60 (delta of tls_inspector.tls_found at edge)",
            "expected 30, got 60 (delta of tls_inspector.alpn_found at edge)",
            "expected 10, got 0 (delta of tls_inspector.alpn_not_found at edge)",
            "expected 30, got 60 (delta of tls_inspector.sni_found at edge)",
            "expected 10, got 0 (delta of tls_inspector.sni_not_found at edge)",
        ),
        verified={
            "traffic": {
                "no TLS": {"scheme": "https"},
                "TLS without ALPN and server name": {"alpn": ["h2"], "server_name": "localhost"},
            }
        },
    ),
    "tls_sni": Fault(
        (
            "expected 30, got 0 (answers with header x-app-version: bank of traffic the bank)",
            "expected 10, got 40 (delta of listener.https.no_filter_chain_match at edge)",
        ),
        deployed=edge("https", filter_chains={"bank": {"match": {"server_names": ["bench.example.com"]}}}),
    ),
    "udp": Fault(
        (
            "expected 2, got 1 (answering hosts of traffic a client for each datagram). Answers: 20 × echo-1",
            "expected at most 0.2, got 2 (spread over the hosts of traffic a client for each datagram)",
            "expected 70, got 60 (delta of udp.datagrams.downstream_sess_rx_datagrams at edge)",
            "expected 70, got 60 (delta of udp.datagrams.downstream_sess_tx_datagrams at edge)",
        ),
        deployed={"services": {"echo": {"replicas": 1}}},
        verified=traffic("one client", requests=40),
    ),
    "websocket": Fault(
        (
            "messages answered: expected 200, got 0 (answers with status 101 of traffic messages). Other answers: 200 × 403",
            "expected 12 to 15, got … (delta of http.plain.downstream_cx_upgrades_total at edge)",
        ),
        deployed=edge("plain", routes=to("web")),
    ),
    "zipkin": Fault(
        (
            "expected 10, got 0 (answers with a body that matches '\"x-b3-sampled\": \"0\"' of traffic requests of an unsampled trace)",
            'expected 294, got … (delta of zipkin_collector_spans_total{transport="http"} at zipkin-1/app)',
            "expected 98, got … (delta of tracing.zipkin.spans_sent at web-1)",
        ),
        verified=traffic("requests of an unsampled trace", headers={"x-b3-sampled": "1"}),
        seconds=3,
    ),
}  # fmt: skip
# Time limit in seconds for expectations that hold. Verification ends when they hold; a busy machine may need longer.
TIMEOUT = 60
OTHERS = [name for name in DEMOS if name not in FOUNDATION]
# Half of the representative demos in each week.
IN_TURN = names_of_week([name for name in OTHERS if name in REPRESENTATIVE], weeks=2)

# Each demo on the first platform that it supports, one after the other: two demos at once would need two port ranges.
CASES = [
    pytest.param(
        next(platform for platform in PLATFORMS if not unsupported_on(name, platform)),
        name,
        marks=[] if name in IN_TURN else [pytest.mark.slow],
    )
    for name in OTHERS
]


@pytest.fixture(scope="module")
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    temporary = Home(request.param)
    yield temporary
    temporary.close()


def test_each_demo_has_a_fault() -> None:
    assert sorted(FAULTS) == OTHERS


@pytest.mark.parametrize(("home", "name"), CASES, indirect=["home"])
def test_demo_passes_twice_and_fails_with_fault(home: Home, name: str) -> None:
    deployment, fault = Deployment(home, name), FAULTS[name]
    plan = deployment.plan()
    try:
        deployed = deployment.run(plan)
        assert not deployed["failed"], deployed["msg"]
        for _repetition in range(2):
            passed = deployment.verify(plan, TIMEOUT)
            assert not passed["failed"], passed["msg"]
            assert deployment.run(plan)["changed"] is False
        if fault.deployed:
            deployed = deployment.run(deployment.plan(fault.deployed))
            assert not deployed["failed"], deployed["msg"]
        failed = deployment.verify(deployment.plan(fault.verified), fault.seconds)
        assert failed["failed"]
        failures = failure_messages(failed)
        assert failures[0] in failed["msg"]
        for message in fault.messages:
            assert any(contains(failure, message) for failure in failures), failures
    finally:
        deployment.run(plan, state="absent")
    assert home.remaining(name) == []
