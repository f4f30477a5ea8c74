# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the names of Istio's stats in place of those of a demo's proxies."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import gallery_demo

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.istio_stats import (
    ProxyNames,
    with_istio_stats,
)

# Names of real stats, of Istio's proxies with Envoy 1.40.
SERVICE1 = "cluster.outbound|8080||front-proxy-service1-pods.shop.svc.cluster.local;"
SERVICE2 = "cluster.outbound|8080||front-proxy-service2-pods.shop.svc.cluster.local;"
STATS = (
    f"{SERVICE1}.upstream_rq_200",
    f"{SERVICE2}.upstream_rq_200",
    "cluster.outbound|8081||front-proxy-service1.shop.svc.cluster.local;.upstream_rq_200",
    "cluster.outbound|8080||my-front-proxy-service1-pods.shop.svc.cluster.local;.upstream_rq_200",
    f"{SERVICE1}.external.upstream_rq_200",
    "cluster.inbound|8080||;.upstream_rq_200",
    "cluster.xds-grpc;.upstream_rq_200",
    "http.outbound_0.0.0.0_8080;.downstream_rq_2xx",
    "http.outbound_0.0.0.0_8443;.downstream_rq_2xx",
    "http.inbound_0.0.0.0_8080;.downstream_rq_2xx",
    "http.outbound_0.0.0.0_8080;.rds.http.8080.update_success",
    "http.outbound_0.0.0.0_8443;.rds.https.8443.https.front-proxy-edge.shop.update_success",
    "listener_manager.lds.update_success",
    "server.live",
)


def selected(**entry: Any) -> set[str]:
    """Return the stats that an expectation about front_proxy selects in a mesh."""
    demo = read_demo("front_proxy", gallery_demo("front_proxy"))
    (found,) = with_istio_stats(demo, [{"op": "eq", "value": 1, **entry}])
    pattern = compile_pattern(found["match"], "match")
    return {one for one in STATS if pattern.matches(one)}


@pytest.mark.parametrize(
    ("at", "stat", "expected"),
    [
        ("edge", "cluster.service1.upstream_rq_200", {STATS[0]}),
        ("service1", "cluster.service1.upstream_rq_200", {STATS[5]}),
        ("edge", "http.http.downstream_rq_2xx", {STATS[7]}),
        ("edge", "http.https.downstream_rq_2xx", {STATS[8]}),
        ("service1", "http.ingress.downstream_rq_2xx", {STATS[9]}),
        # A change of routes is an update of RDS in a mesh.
        ("edge", "listener_manager.lds.update_success", {STATS[10], STATS[11]}),
        ("edge", "http.http.rds.http.update_success", {STATS[10]}),
        ("edge", "http.https.rds.https.update_success", {STATS[11]}),
        ("edge", "server.live", {STATS[13]}),
    ],
)
def test_stat_selects_the_stat_of_istio(at: str, stat: str, expected: set[str]) -> None:
    assert selected(at=at, stat=stat) == expected


def test_routes_have_the_name_of_their_listener() -> None:
    names = ProxyNames({"web": "of-the-cluster"}, {"web": "of-the-listener"})
    assert (
        names.of_name("http.web.rds.web.update_success") == r"http\.of-the-listener\.rds\..*\.update_success"
    )
    assert names.of_name("cluster.web.upstream_rq_200") == r"cluster\.of-the-cluster\.upstream_rq_200"


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (r"cluster\.service.\.upstream_rq_200", {STATS[0], STATS[1]}),
        (r"cluster\.service[2-9]\.upstream_rq_.*", {STATS[1]}),
        (r"http\..*\.downstream_rq_2xx", {STATS[7], STATS[8]}),
    ],
)
def test_pattern_selects_the_stats_of_istio(match: str, expected: set[str]) -> None:
    assert selected(at="edge", match=match) == expected


def test_several_services_have_one_pattern() -> None:
    assert selected(at=["service1", "service2"], stat="http.ingress.downstream_rq_2xx") == {STATS[9]}


def test_other_pages_of_the_admin_keep_their_names() -> None:
    demo = read_demo("front_proxy", gallery_demo("front_proxy"))
    entry = {"at": "edge", "source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"}
    assert with_istio_stats(demo, [entry]) == [entry]


def test_value_of_a_stat_is_translated_too() -> None:
    demo = read_demo("front_proxy", gallery_demo("front_proxy"))
    value = {"at": "service1", "stat": "cluster.service1.upstream_rq_200"}
    (found,) = with_istio_stats(demo, [{"at": "edge", "stat": "server.live", "op": "eq", "value": value}])
    assert found["value"] == {"at": "service1", "match": r"cluster\.inbound\|8080\|\|;\.upstream_rq_200"}
