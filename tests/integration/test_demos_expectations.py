# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each expectation of each demo of the foundation a run in which it must fail and does, with the sentence that a person needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from deployment import Deployment
from live import FOUNDATION, Home, demo_data

Data = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What is wrong in a run, and which expectations of the demo must say so."""

    demo: str
    wrong: str
    # expectation (as `labels` calls it): a part of its sentence
    fails: dict[str, str]
    # what is sent, or how many replicas are assumed, other than the demo says …
    sent: Data = field(default_factory=dict)
    replicas: dict[str, int] = field(default_factory=dict)
    # … or what runs
    runs: Data = field(default_factory=dict)
    # … or what a proxy was told, and how that is undone
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
    """Half of the requests fail, and all of them wait."""
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
EVERYBODY = "all requests"
PLAIN, BARE = "plain connections", "clients without a certificate"

# Seconds after which what Envoy counted has reached the exporter: it flushes once a second.
FLUSHED = 3.0
CASES = [
    Case(
        "front_proxy",
        "half of the requests",
        {
            f"{S1}: status 200": "expected 24 answers with status 200, saw 12",
            f"{S1}: header server": "expected 24 answers with header server: envoy, saw 12",
            f"{S1}: header x-envoy-upstream-service-time": "expected 24 answers with header x-envoy-upstream-service-time, saw 12",
            f"{S2}: status 200": "expected 12 answers with status 200, saw 6",
            f"{TLS}: status 200": "expected 6 answers with status 200, saw 3",
            f"{APP}: status 200": "expected 3 answers with status 200, saw 1",
            "edge: cluster.service1.upstream_rq_200": "cluster.service1.upstream_rq_200 at edge: expected delta eq 30, saw 15",
            "edge: cluster.service2.upstream_rq_200": "cluster.service2.upstream_rq_200 at edge: expected delta eq 12, saw 6",
            "edge: http.https.downstream_rq_2xx": "http.https.downstream_rq_2xx at edge: expected delta eq 6, saw 3",
            "service1: cluster.service1.upstream_rq_200": "at service1-1: expected sum delta eq 30, saw 15",
            "service2: cluster.service2.upstream_rq_200": "at service2-1: expected sum delta eq 12, saw 6",
        },
        sent={
            "traffic": {S1: {"requests": 12}, S2: {"requests": 6}, TLS: {"requests": 3}, APP: {"requests": 1}}
        },
    ),
    Case(
        "front_proxy",
        "past the edge, so that headers are missing",
        {
            f"{S1}: header server": "saw 0 (24 × server: demo-app)",
            f"{S1}: header x-envoy-upstream-service-time": "saw 0 (24 × no x-envoy-upstream-service-time)",
            "edge: cluster.service1.upstream_rq_200": "expected delta eq 30, saw 6",
        },
        sent=traffic(S1, to="service1/app"),
    ),
    Case(
        "front_proxy",
        "not straight to the app",
        {
            f"{APP}: header x-envoy-upstream-service-time": "expected 0 answers with header x-envoy-upstream-service-time, saw 3"
        },
        sent=traffic(APP, to="edge/http"),
    ),
    Case(
        "front_proxy",
        "two replicas missing",
        {
            f"{S1}: hosts count": "expected answers from 3 hosts, saw 1 (24 × service1-1)",
            f"{S1}: hosts spread": "expected a spread over the hosts of at most 0.2, saw 3 (24 × service1-1)",
            "service1: cluster.service1.upstream_rq_200": "there is no such socket; is Envoy running?",
        },
        replicas={"service1": 3},
    ),
    Case(
        "front_proxy",
        "an edge that drains",
        {"edge: state": "server_info state at edge: expected eq 'LIVE', saw 'DRAINING'"},
        admin=("edge", "/healthcheck/fail", "/healthcheck/ok"),
    ),
    Case(
        "front_proxy",
        "the edge's route leads to the other service",
        {
            f"{S1}: status 200": "expected 24 answers with status 200, saw 0 (24 × 404)",
            f"{TLS}: status 200": "expected 6 answers with status 200, saw 0 (6 × 404)",
            "edge: cluster.service1.upstream_rq_200": "near it is cluster.service1.upstream_rq_404",
            "service1: cluster.service1.upstream_rq_200": "at service1-1: expected sum delta eq 30, saw 0",
        },
        runs={"proxies": {"edge": {"clusters": {"service1": {"to": "service2"}}}}},
    ),
    Case(
        "front_proxy",
        "a service that answers 503",
        {
            f"{S1}: status 200": "saw 0 (24 × 503)",
            r"edge: cluster\.service.\.upstream_rq_5xx": "expected sum delta eq 0, saw 24",
        },
        runs=edge_http(
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
            f"{EVERYBODY}: header x-app-version": "expected 10 %: 138 to 269 of 2000 answers with header x-app-version: v2, saw ",
            "edge: cluster.v2.upstream_rq_total": "expected delta 10 %: 138 to 269 of 2000, saw ",
        },
        runs=edge_http(routes=weighted(70, 30)),
    ),
    Case(
        "canary",
        "version 1 under the name of version 2",
        {f"{EVERYBODY}: header x-app-version": "saw 0 of 2000 (0 %) (2000 × x-app-version: v1)"},
        runs={"services": {"v2": {"app": {"version": "v1"}}}},
    ),
    Case(
        "canary",
        "half of the requests",
        {
            f"{EVERYBODY}: status 200": "expected 2000 answers with status 200, saw 1000",
            r"edge: cluster\.v[12]\.upstream_rq_total": "expected sum delta eq 2000, saw 1000",
            "['v1', 'v2']: http.ingress.downstream_rq_2xx": "expected sum delta eq 2000, saw 1000",
        },
        sent=traffic(EVERYBODY, requests=1000),
    ),
    Case(
        "fault_injection",
        "half of the requests",
        {f"{FAULTY}: status any": "expected 1000 answers, saw 500"},
        sent=traffic(FAULTY, requests=500),
    ),
    Case(
        "fault_injection",
        "another share of faults",
        {f"{FAULTY}: status 503": "expected 20 %: 141 to 264 of 1000 answers with status 503, saw "},
        runs=edge_http(http_filters=[fault(percent=50)]),
    ),
    Case(
        "fault_injection",
        "a 503 of the service's own",
        {
            f"{FAULTY}: status 503": "saw 1",
            "edge: http.http.fault.aborts_injected": "expected delta eq 1000, saw 0",
            "edge: cluster.web.upstream_rq_total": "expected delta eq 0, saw 1000",
        },
        runs=edge_http(
            http_filters=[],
            routes=[
                {"match": {"prefix": "/"}, "route": {"cluster": "web", "prefix_rewrite": "/status/503?"}}
            ],
        ),
    ),
    Case(
        "fault_injection",
        "half of the late requests",
        {
            f"{LATE}: status 200": "expected 400 answers with status 200, saw 200",
            "edge: cluster.web_slowly.upstream_rq_200": "expected delta eq 400, saw 200",
        },
        sent=traffic(LATE, requests=200),
    ),
    Case(
        "fault_injection",
        "aborts among the late requests, and a millisecond's delay of all of them",
        {
            f"{LATE}: latency 0.85": "expected a latency p85 of at least 200 ms, saw ",
            "edge: http.slow.fault.delays_injected": "of 400",
            "edge: http.slow.fault.aborts_injected": "expected delta eq 0, saw ",
        },
        runs=slow(fixed_delay="0.001s"),
    ),
    Case(
        "fault_injection",
        "an edge that answers by itself",
        {"edge: cluster.web.upstream_rq_200": ", saw 0", "edge: cluster.web.upstream_rq_total": ", saw 0"},
        runs=edge_http(routes=[{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]),
    ),
    Case(
        "mutual_tls",
        "half of the connections",
        {
            f"{BARE}: error any": "expected 5 errors, saw 3 (",
            "edge: cluster.echo.upstream_cx_total": "expected delta eq 20, saw 10",
            "edge: cluster.echo.ssl.handshake": "expected delta eq 20, saw 10",
            r"echo: listener\..*_7443\.ssl\.handshake": "expected sum delta eq 20, saw 10",
            r"echo: listener\..*_7443\.ssl\.fail_verify_no_cert": "expected sum delta eq 5, saw 3",
            "echo: cluster.echo.upstream_cx_total": "expected delta eq 25, saw 13",
            "echo: cluster.echo.upstream_cx_tx_bytes_total": "expected delta eq 120, saw 60",
        },
        sent={"traffic": {PLAIN: {"requests": 10}, BARE: {"requests": 3}}},
    ),
    Case(
        "mutual_tls",
        "an edge that shows no certificate",
        {
            f"{PLAIN}: error any": "expected 0 errors, saw 20 (",
            # 25 in the end; that there are more than 5 is told as soon as it is seen.
            r"echo: listener\..*_7443\.ssl\.fail_verify_no_cert": "expected sum delta eq 5, saw ",
        },
        runs={"proxies": {"edge": {"clusters": {"echo": {"tls": {"client_certificate": False}}}}}},
    ),
    Case(
        "mutual_tls",
        "a sidecar that wants no certificate",
        {
            f"{BARE}: error any": "expected 5 errors, saw 0",
            r"echo: listener\..*_7443\.ssl\.no_certificate": "expected sum delta eq 0, saw 2",
            "echo: cluster.echo.upstream_cx_tx_bytes_total": "expected delta eq 120, saw 150",
        },
        runs={
            "services": {"echo": {"sidecar": {"listeners": {"mtls": {"tls": {"client_certificate": False}}}}}}
        },
    ),
    Case(
        "service_envoy",
        "half of the requests",
        {
            f"{QUICK}: status 200": "expected 40 answers with status 200, saw 20",
            f"{SLOW}: status 200": "expected 10 answers with status 200, saw 5",
            "web: cluster.web.upstream_rq_200": "expected delta eq 50, saw 25",
            "web: http.ingress.downstream_rq_total": "expected delta eq 50, saw 25",
            "statsd_exporter: envoy_cluster_upstream_rq": "expected sum delta eq 50, saw 2",
            "statsd_exporter: envoy_cluster_upstream_rq_time_count": "expected sum delta eq 50, saw 2",
            "statsd_exporter: envoy_cluster_upstream_rq_time to 10": "expected samples up to 10 delta eq 50, saw 2",
        },
        sent={"traffic": {QUICK: {"requests": 20}, SLOW: {"requests": 5}}},
    ),
    Case(
        "service_envoy",
        "slow requests that are quick",
        {
            # 50 in the end; that there are more than 40 is told as soon as it is seen.
            "statsd_exporter: envoy_cluster_upstream_rq_time to 0.25": "expected samples up to 0.25 delta le 40, saw "
        },
        sent=traffic(SLOW, path="/"),
    ),
    Case(
        "service_envoy",
        "a header of the app's own",
        {f"{QUICK}: header server": "saw 0 (40 × server: demo-app)"},
        runs={
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
            "statsd_exporter: statsd_exporter_loaded_mappings": "expected ge 1, saw 0",
            "statsd_exporter: statsd_exporter_events_unmapped_total": "expected eq 0, saw ",
            "statsd_exporter: envoy_cluster_upstream_rq_time to 0.25": "it is no histogram",
            "statsd_exporter: envoy_cluster_upstream_rq_time to 10": "it is no histogram",
        },
        runs={"statsd_exporter": {"mapping": {"mappings": []}}},
    ),
]


def labels(data: Data) -> dict[str, tuple[int, ...]]:
    """Return what this file calls each expectation of a demo, and where its verdict is: in which traffic, in which place."""
    found: dict[str, tuple[int, ...]] = {}
    for number, one in enumerate(data["traffic"]):
        for place, expect in enumerate(one["expect"]):
            kind = next(key for key in ("status", "header", "hosts", "error", "latency") if key in expect)
            what = expect[kind]["name"] if kind == "header" else expect[kind]
            found[f"{one['name']}: {kind} {what}"] = (number, place)
    for place, one in enumerate(data["expectations"]):
        bucket = f" to {one['bucket']}" if "bucket" in one else ""
        found[f"{one['at']}: {one.get('stat') or one['match']}{bucket}"] = (place,)
    return found


def verdict(result: Data, position: tuple[int, ...]) -> Data:
    if len(position) == 1:
        return result["assertions"][position[0]]
    return result["traffic"][position[0]]["expect"][position[1]]


class Deployed:
    """A demo that runs, altered from case to case."""

    def __init__(self, home: Home, name: str) -> None:
        self.deployment = Deployment(home, name)
        self.runs: Data | None = None

    def run(self, changes: Data) -> None:
        if changes != self.runs:
            result = self.deployment.run(self.deployment.plan(changes))
            assert not result["failed"], result["msg"]
            self.runs = changes


@contextmanager
def told(deployment: Deployment, admin: tuple[str, str, str] | None) -> Iterator[None]:
    if admin is None:
        yield
        return
    proxy, path, undone_by = admin
    deployment.home.admin(deployment.demo, proxy, path, "POST")
    yield
    deployment.home.admin(deployment.demo, proxy, undone_by, "POST")


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    one = Home("local")
    yield one
    one.close()


@pytest.fixture(scope="module", params=FOUNDATION)
def demo(request: pytest.FixtureRequest, home: Home) -> Iterator[Deployed]:
    one = Deployed(home, request.param)
    yield one
    one.deployment.run(one.deployment.plan(), state="absent")


def test_each_expectation_of_a_demo_has_a_case(demo: Deployed) -> None:
    name = demo.deployment.demo
    named = {label for case in CASES if case.demo == name for label in case.fails}
    assert named == set(labels(demo_data(name, 0)))


def test_expectations_fail_where_they_must(demo: Deployed, subtests: pytest.Subtests) -> None:
    name = demo.deployment.demo
    positions = labels(demo_data(name, 0))
    for case in (case for case in CASES if case.demo == name):
        with subtests.test(case.wrong):
            demo.run(case.runs)
            with told(demo.deployment, case.admin):
                plan = demo.deployment.plan(case.sent, case.replicas)
                result = demo.deployment.verify(
                    plan, FLUSHED if "statsd_exporter" in plan["programs"] else 0.5
                )
            assert result["failed"]
            seen = {label: verdict(result, position) for label, position in positions.items()}
            for label, sentence in case.fails.items():
                assert not seen[label]["ok"], f"{label} held: {seen[label]['message']}"
                assert sentence in seen[label]["message"]
                assert seen[label]["message"] in result["msg"]
