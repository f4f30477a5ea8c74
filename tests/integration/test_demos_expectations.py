# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each expectation of the demos of live.FOUNDATION fails in at least one case, with the expected message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from deployment import Deployment, failure_messages
from live import FOUNDATION, Home, demo_data
from message_parts import contains
from rotation import cases_of_week

Data = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A fault, and the expectations of the demo that must fail because of it."""

    demo: str
    name: str
    # Label of an expectation (see `labels`): a part of its message, in which … stands for any characters.
    fails: dict[str, str]
    # Changes of the verified demo, and of the number of replicas that it expects.
    verified: Data = field(default_factory=dict)
    replicas: dict[str, int] = field(default_factory=dict)
    # Changes of the deployed demo.
    deployed: Data = field(default_factory=dict)
    # A proxy, an admin request that causes the fault, and the request that reverts it.
    admin: tuple[str, str, str] | None = None


def traffic(name: str, **changes: Any) -> Data:
    return {"traffic": {name: changes}}


def edge_http(**listener: Any) -> Data:
    return {"proxies": {"edge": {"listeners": {"http": listener}}}}


def fault(percent: int, **others: Any) -> Data:
    kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
    abort = {"http_status": 503, "percentage": {"numerator": percent}}
    return {"name": "envoy.filters.http.fault", "typed_config": {"@type": kind, "abort": abort, **others}}


def slow(**delay: Any) -> Data:
    """Return changes with which half of the requests fail and all of them are delayed."""
    faults = [fault(50, delay={"percentage": {"numerator": 100}, **delay})]
    return {"proxies": {"edge": {"listeners": {"slow": {"http_filters": faults}}}}}


def weighted(v1: int, v2: int) -> list[Data]:
    clusters = [{"name": "v1", "weight": v1}, {"name": "v2", "weight": v2}]
    return [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}]


S1, S2, TLS, APP = (
    "service 1 through the edge",
    "service 2 through the edge",
    "service 1 over TLS",
    "directly to the app",
)
FAULTY, LATE = "requests with injected errors", "requests with injected delays"
QUICK, SLOW = "quick requests", "requests of 300 ms"
ALL = "all requests"
PLAIN, BARE = "plain connections", "clients without a certificate"

# Time limit in seconds for demos with statsd_exporter, because Envoy flushes stats once a second.
FLUSHED = 3.0
CASES = [
    Case(
        "front_proxy",
        "half of the requests",
        {
            f"{S1}: status 200": "expected 24, got 12 (answers with status 200 of traffic ",
            f"{S1}: header server": "expected 24, got 12 (answers with header server: envoy of traffic ",
            f"{S1}: header x-envoy-upstream-service-time": (
                "expected 24, got 12 (answers with header x-envoy-upstream-service-time of traffic "
            ),
            f"{S2}: status 200": "expected 12, got 6 (answers with status 200 of traffic ",
            f"{TLS}: status 200": "expected 6, got 3 (answers with status 200 of traffic ",
            f"{APP}: status 200": "expected 3, got 1 (answers with status 200 of traffic ",
            "edge: cluster.service1.upstream_rq_200": "expected 30, got 15 (delta of cluster.service1.upstream_rq_200 at edge)",
            "edge: cluster.service2.upstream_rq_200": "expected 12, got 6… (delta of cluster.service2.upstream_rq_200 at edge)",
            "edge: http.https.downstream_rq_2xx": "expected 6, got 3… (delta of http.https.downstream_rq_2xx at edge)",
            "service1: cluster.service1.upstream_rq_200": "expected 30, got 15 (sum of delta of … at service1-1)",
            "service2: cluster.service2.upstream_rq_200": "expected 12, got 6… (sum of delta of … at service2-1)",
        },
        verified={
            "traffic": {S1: {"requests": 12}, S2: {"requests": 6}, TLS: {"requests": 3}, APP: {"requests": 1}}
        },
    ),
    Case(
        "front_proxy",
        "requests without the edge",
        {
            f"{S1}: header server": (
                "expected 24, got 0 (answers with header server: envoy"
                f" of traffic {S1}). Answers: 24 × server: demo-app"
            ),
            f"{S1}: header x-envoy-upstream-service-time": (
                "expected 24, got 0 (answers with header x-envoy-upstream-service-time "
                f"of traffic {S1}). Answers: 24 × no x-envoy-upstream-service-time"
            ),
            "edge: cluster.service1.upstream_rq_200": "expected 30, got 6… (delta of ",
        },
        verified=traffic(S1, to="service1/app"),
    ),
    Case(
        "front_proxy",
        "requests through the edge instead of to the app",
        {
            f"{APP}: header x-envoy-upstream-service-time": (
                "expected 0, got 3 (answers with header x-envoy-upstream-service-time of traffic "
            )
        },
        verified=traffic(APP, to="edge/http"),
    ),
    Case(
        "front_proxy",
        "two missing replicas",
        {
            f"{S1}: hosts count": f"expected 3, got 1 (answering hosts of traffic {S1}). Answers: 24 × service1-1",
            f"{S1}: hosts spread": f"expected at most 0.2, got 3 (spread over the hosts of traffic {S1}). Answers: 24 × service1-1",
            "service1: cluster.service1.upstream_rq_200": "the socket does not exist; is Envoy running?",
        },
        replicas={"service1": 3},
    ),
    Case(
        "front_proxy",
        "a draining edge",
        {"edge: state": "expected 'LIVE', got 'DRAINING' (server_info state at edge)"},
        admin=("edge", "/healthcheck/fail", "/healthcheck/ok"),
    ),
    Case(
        "front_proxy",
        "a route to the wrong service",
        {
            f"{S1}: status 200": f"expected 24, got 0 (answers with status 200 of traffic {S1}). Other answers: 24 × 404",
            f"{TLS}: status 200": f"expected 6, got 0 (answers with status 200 of traffic {TLS}). Other answers: 6 × 404",
            "edge: cluster.service1.upstream_rq_200": "The nearest names are cluster.service1.upstream_rq_404",
            "service1: cluster.service1.upstream_rq_200": "expected 30, got 0 (sum of delta of … at service1-1)",
        },
        deployed={"proxies": {"edge": {"clusters": {"service1": {"to": "service2"}}}}},
    ),
    Case(
        "front_proxy",
        "a service that answers 503",
        {
            f"{S1}: status 200": f"expected 24, got 0 (answers with status 200 of traffic {S1}). Other answers: 24 × 503",
            r"edge: cluster\.service.\.upstream_rq_5xx": "expected 0, got 24 (sum of delta of ",
        },
        deployed=edge_http(
            routes=[
                {
                    "match": {"prefix": "/service/1"},
                    "route": {"cluster": "service1", "prefix_rewrite": "/status/503?"},
                },
                {"match": {"prefix": "/service/2"}, "route": {"cluster": "service2"}},
            ]
        ),
    ),
    Case(
        "canary",
        "weights of 70 and 30",
        {
            f"{ALL}: header x-app-version": "expected 138 to 269 of 2000 for a share of 10 %, got ",
            "edge: cluster.v2.upstream_rq_total": "expected 138 to 269 of 2000 for a share of 10 %, got … (delta of ",
        },
        deployed=edge_http(routes=weighted(70, 30)),
    ),
    Case(
        "canary",
        "version 1 under the name of version 2",
        {
            f"{ALL}: header x-app-version": (
                "got 0 (share of answers with header x-app-version: v2"
                f" of traffic {ALL}). Answers: 2000 × x-app-version: v1"
            )
        },
        deployed={"services": {"v2": {"app": {"version": "v1"}}}},
    ),
    Case(
        "canary",
        "half of the requests",
        {
            f"{ALL}: status 200": "expected 2000, got 1000 (answers with status 200 of traffic ",
            r"edge: cluster\.v[12]\.upstream_rq_total": "expected 2000, got 1000 (sum of delta of ",
            "['v1', 'v2']: http.ingress.downstream_rq_2xx": "expected 2000, got 1000 (sum of delta of ",
        },
        verified=traffic(ALL, requests=1000),
    ),
    Case(
        "fault_injection",
        "half of the requests",
        {f"{FAULTY}: status any": "expected 1000, got 500 (answers of traffic "},
        verified=traffic(FAULTY, requests=500),
    ),
    Case(
        "fault_injection",
        "another share of faults",
        {f"{FAULTY}: status 503": "expected 141 to 264 of 1000 for a share of 20 %, got "},
        deployed=edge_http(http_filters=[fault(percent=50)]),
    ),
    Case(
        "fault_injection",
        "a 503 of the service",
        {
            f"{FAULTY}: status 503": "of 1000 for a share of 20 %, got 1000 (",
            "edge: http.http.fault.aborts_injected": "expected 1000, got 0 (delta of ",
            "edge: cluster.web.upstream_rq_total": "expected 0, got 1000 (delta of ",
        },
        deployed=edge_http(
            http_filters=[fault(percent=0)],
            routes=[
                {"match": {"prefix": "/"}, "route": {"cluster": "web", "prefix_rewrite": "/status/503?"}}
            ],
        ),
    ),
    Case(
        "fault_injection",
        "half of the delayed requests",
        {
            f"{LATE}: status 200": "expected 400, got 200 (answers with status 200 of traffic ",
            "edge: cluster.web_slowly.upstream_rq_200": "expected 400, got 200 (delta of ",
        },
        verified=traffic(LATE, requests=200),
    ),
    Case(
        "fault_injection",
        "aborts, and delays of a millisecond",
        {
            f"{LATE}: latency 0.85": "expected at least 200, got ",
            "edge: http.slow.fault.delays_injected": "of 400",
            "edge: http.slow.fault.aborts_injected": "expected 0, got … (delta of ",
        },
        deployed=slow(fixed_delay="0.001s"),
    ),
    Case(
        "fault_injection",
        "an edge that responds itself",
        {
            "edge: cluster.web.upstream_rq_200": ", got 0 (",
            "edge: cluster.web.upstream_rq_total": ", got 0 (",
        },
        deployed=edge_http(routes=[{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]),
    ),
    Case(
        "mutual_tls",
        "half of the connections",
        {
            f"{BARE}: error any": "expected 5, got 3 (errors of traffic ",
            "edge: cluster.echo.upstream_cx_total": "expected 20, got 10 (delta of ",
            "edge: cluster.echo.ssl.handshake": "expected 20, got 10 (delta of ",
            r"echo: listener\..*_7443\.ssl\.handshake": "expected 20, got 10 (sum of delta of ",
            r"echo: listener\..*_7443\.ssl\.fail_verify_no_cert": "expected 5, got 3… (sum of delta of ",
            "echo: cluster.echo.upstream_cx_total": "expected 25, got 13 (delta of ",
            "echo: cluster.echo.upstream_cx_tx_bytes_total": "expected 120, got 60 (delta of ",
        },
        verified={"traffic": {PLAIN: {"requests": 10}, BARE: {"requests": 3}}},
    ),
    Case(
        "mutual_tls",
        "an edge without a client certificate",
        {
            f"{PLAIN}: error any": "expected 0, got 20 (errors of traffic ",
            # The final number is 25. The failure is reported when there are more than 5.
            r"echo: listener\..*_7443\.ssl\.fail_verify_no_cert": "expected 5, got … (sum of delta of ",
        },
        deployed={"proxies": {"edge": {"clusters": {"echo": {"tls": {"client_certificate": False}}}}}},
    ),
    Case(
        "mutual_tls",
        "a sidecar that requires no certificate",
        {
            f"{BARE}: error any": "expected 5, got 0 (errors of traffic ",
            r"echo: listener\..*_7443\.ssl\.no_certificate": "expected 0, got 2… (sum of delta of ",
            "echo: cluster.echo.upstream_cx_tx_bytes_total": "expected 120, got 150 (delta of ",
        },
        deployed={
            "services": {"echo": {"sidecar": {"listeners": {"mtls": {"tls": {"client_certificate": False}}}}}}
        },
    ),
    Case(
        "service_envoy",
        "half of the requests",
        {
            f"{QUICK}: status 200": "expected 40, got 20 (answers with status 200 of traffic ",
            f"{SLOW}: status 200": "expected 10, got 5 (answers with status 200 of traffic ",
            "web: cluster.web.upstream_rq_200": "expected 50, got 25 (delta of ",
            "web: http.ingress.downstream_rq_total": "expected 50, got 25 (delta of ",
            "statsd_exporter: envoy_cluster_upstream_rq": "expected 50, got 2… (sum of delta of ",
            "statsd_exporter: envoy_cluster_upstream_rq_time_count": "expected 50, got 2… (sum of delta of ",
            "statsd_exporter: envoy_cluster_upstream_rq_time to 10": "expected 50, got 2… (samples up to 10 of delta of ",
        },
        verified={"traffic": {QUICK: {"requests": 20}, SLOW: {"requests": 5}}},
    ),
    Case(
        "service_envoy",
        "slow requests without a delay",
        {
            # The final number is 50. The failure is reported when there are more than 40.
            "statsd_exporter: envoy_cluster_upstream_rq_time to 0.25": "expected at most 40, got … (samples up to 0.25 of delta of "
        },
        verified=traffic(SLOW, path="/"),
    ),
    Case(
        "service_envoy",
        "the server header of the app",
        {
            f"{QUICK}: header server": (
                "expected 40, got 0 (answers with header server: envoy"
                f" of traffic {QUICK}). Answers: 40 × server: demo-app"
            )
        },
        deployed={
            "services": {
                "web": {
                    "sidecar": {
                        "listeners": {
                            "ingress": {
                                "http_connection_manager": {"server_header_transformation": "PASS_THROUGH"}
                            }
                        }
                    }
                }
            }
        },
    ),
    Case(
        "service_envoy",
        "no mapping loaded",
        {
            "statsd_exporter: statsd_exporter_loaded_mappings": "expected at least 1, got 0 (",
            "statsd_exporter: statsd_exporter_events_unmapped_total": "expected 0, got … (",
            "statsd_exporter: envoy_cluster_upstream_rq_time to 0.25": "no histogram has this name",
            "statsd_exporter: envoy_cluster_upstream_rq_time to 10": "no histogram has this name",
        },
        deployed={"statsd_exporter": {"mapping": {"mappings": []}}},
    ),
]


def labels(data: Data) -> dict[str, tuple[int, ...]]:
    """Return a label for each expectation of a demo, and the position of its result: in a traffic, or in the assertions."""
    found: dict[str, tuple[int, ...]] = {}
    for number, batch in enumerate(data["traffic"]):
        for position, expect in enumerate(batch["expect"]):
            kind = next(key for key in ("status", "header", "hosts", "error", "latency") if key in expect)
            what = expect[kind]["name"] if kind == "header" else expect[kind]
            found[f"{batch['name']}: {kind} {what}"] = (number, position)
    for position, expectation in enumerate(data["expectations"]):
        bucket = f" to {expectation['bucket']}" if "bucket" in expectation else ""
        found[f"{expectation['at']}: {expectation.get('stat') or expectation['match']}{bucket}"] = (position,)
    return found


def verdict(result: Data, position: tuple[int, ...]) -> Data:
    if len(position) == 1:
        return result["assertions"][position[0]]
    return result["traffic"][position[0]]["expect"][position[1]]


class ChangingDeployment:
    """A deployed demo that changes from case to case."""

    def __init__(self, home: Home, name: str) -> None:
        self.deployment = Deployment(home, name)
        self.changes: Data | None = None

    def run(self, changes: Data) -> None:
        if changes != self.changes:
            result = self.deployment.run(self.deployment.plan(changes))
            assert not result["failed"], result["msg"]
            self.changes = changes


@contextmanager
def admin_fault(deployment: Deployment, admin: tuple[str, str, str] | None) -> Iterator[None]:
    """Send an admin request, and revert it afterwards."""
    if admin is None:
        yield
        return
    proxy, path, revert = admin
    deployment.home.admin(deployment.demo, proxy, path, "POST")
    yield
    deployment.home.admin(deployment.demo, proxy, revert, "POST")


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    temporary = Home("local")
    yield temporary
    temporary.close()


@pytest.fixture(scope="module", params=cases_of_week(FOUNDATION, weeks=2))
def demo(request: pytest.FixtureRequest, home: Home) -> Iterator[ChangingDeployment]:
    changing = ChangingDeployment(home, request.param)
    yield changing
    changing.deployment.run(changing.deployment.plan(), state="absent")


def test_each_expectation_has_a_case(demo: ChangingDeployment) -> None:
    name = demo.deployment.demo
    labels_of_cases = {label for case in CASES if case.demo == name for label in case.fails}
    assert labels_of_cases == set(labels(demo_data(name, 0)))


def test_expectations_fail_with_fault(demo: ChangingDeployment, subtests: pytest.Subtests) -> None:
    name = demo.deployment.demo
    positions = labels(demo_data(name, 0))
    for case in (case for case in CASES if case.demo == name):
        with subtests.test(case.name):
            demo.run(case.deployed)
            with admin_fault(demo.deployment, case.admin):
                plan = demo.deployment.plan(case.verified, case.replicas)
                result = demo.deployment.verify(
                    plan, FLUSHED if "statsd_exporter" in plan["programs"] else 0.5
                )
            assert result["failed"]
            verdicts = {label: verdict(result, position) for label, position in positions.items()}
            for label, message in case.fails.items():
                found = verdicts[label]
                assert not found["ok"], f"{label} held: {found['message']}"
                assert contains(found["message"], message)
            assert failure_messages(result)[0] in result["msg"]
