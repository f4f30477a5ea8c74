# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings without standby hosts."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.standby_hosts import (
    count_hosts,
    leave_out,
    standby_hosts,
    without_standby,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples, Selection


def host(address: str, **fields: Any) -> dict[str, Any]:
    status = {"eds_health_status": fields.pop("health", "HEALTHY")}
    return {
        "address": {"socket_address": {"address": address, "port_value": 80}},
        "health_status": status,
        **fields,
    }


STANDBY = host("10.96.0.5", health="DEGRADED", priority=1)
PAGE = {
    "cluster_statuses": [
        {"name": "web", "host_statuses": [host("10.0.0.1"), host("10.0.0.2", health="DEGRADED"), STANDBY]},
        {
            "name": "a:b",
            "observability_name": "other:name",
            "host_statuses": [host("::1", health="DEGRADED", priority=1)],
        },
        {"name": "own", "host_statuses": [STANDBY]},
        {"name": "empty"},
    ]
}
BOTH = ("web", "a:b", "empty")


def test_only_named_clusters_lose_their_standby() -> None:
    before = copy.deepcopy(PAGE)
    kept = without_standby(PAGE, BOTH)["cluster_statuses"]
    assert [len(one.get("host_statuses", ())) for one in kept] == [2, 0, 1, 0]
    assert before == PAGE


@pytest.mark.parametrize("page", [[], {"cluster_statuses": 5}, {"cluster_statuses": [5]}, None])
def test_other_pages_stay(page: Any) -> None:
    assert without_standby(page, BOTH) == page


def test_hosts_have_the_names_in_stats() -> None:
    web, other = standby_hosts(PAGE, BOTH)
    assert web.prefix == "cluster.web.endpoint.10.96.0.5_80."
    assert other.prefix == "cluster.other_name.endpoint.[__1]_80."


def test_page_of_another_program_is_unparsable() -> None:
    with pytest.raises(ScrapeError) as raised:
        standby_hosts({"cluster_statuses": [{}]}, BOTH)
    assert raised.value.kind == "unparsable"


@pytest.mark.parametrize("hosts", [None, [5], [{"priority": "high"}], [{"stats": [{}]}]])
def test_wrong_hosts_are_unparsable(hosts: Any) -> None:
    page = {"cluster_statuses": [{"name": "web", "host_statuses": hosts}]}
    for read in (without_standby, standby_hosts):
        with pytest.raises(ScrapeError, match="clusters cannot be parsed") as raised:
            read(page, BOTH)
        assert raised.value.kind == "unparsable"


def test_stats_lose_the_host_and_its_count() -> None:
    stats = {
        "cluster.web.membership_total": 3,
        "cluster.web.membership_degraded": 2,
        "cluster.web.membership_healthy": 1,
        "cluster.web.endpoint.10.0.0.1_80.rq_total": 7,
        "cluster.web.endpoint.10.96.0.5_80.rq_total": 0,
        "cluster.own.membership_total": 1,
        "cluster.own.endpoint.10.96.0.5_80.rq_total": 0,
    }
    samples = Samples(Selection(everything=True), dict(stats))
    leave_out(samples, standby_hosts(PAGE, BOTH))
    del stats["cluster.web.endpoint.10.96.0.5_80.rq_total"]
    assert samples.values == {
        **stats,
        "cluster.web.membership_total": 2,
        "cluster.web.membership_degraded": 1,
    }


def test_series_lose_the_host_and_its_count() -> None:
    total = 'envoy_cluster_membership_total{envoy_cluster_name="web"}'
    address = 'envoy_cluster_name="{}",envoy_endpoint_address="{}",envoy_endpoint_hostname="web-pods"'
    first, standby, other = (
        f"envoy_cluster_endpoint_rq_total{{{address.format(*one)}}}"
        for one in (("web", "10.0.0.1:80"), ("web", "10.96.0.5:80"), ("own", "10.96.0.5:80"))
    )
    samples = Samples(Selection(everything=True), {total: 3, first: 7, standby: 0, other: 1})
    samples.kinds = dict.fromkeys(samples.values, "counter")
    leave_out(samples, standby_hosts(PAGE, BOTH))
    assert samples.values == {total: 2, first: 7, other: 1}
    assert set(samples.kinds) == set(samples.values)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("cluster.web.membership_total", True),
        ("cluster.web.membership_degraded", True),
        ("cluster.web.endpoint.10.0.0.1_80.rq_total", True),
        ('envoy_cluster_membership_total{envoy_cluster_name="web"}', True),
        ('envoy_cluster_endpoint_rq_total{envoy_cluster_name="web"}', True),
        ("cluster.web.membership_healthy", False),
        ("cluster.web.upstream_rq_total", False),
    ],
)
def test_stats_about_hosts_are_known(name: str, counts: bool) -> None:
    assert count_hosts([name]) is counts
