# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the numbers of clusters: the difference of two snapshots, summed over the replicas of a group."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Selection,
    Snapshot,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.cluster_counts import (
    cluster_counts,
    read_clusters,
)

GROUPS = {"edge": "edge", "web-1": "web", "web-2": "web"}


def page(name: str, requests: int, samples: int = 0, **options: Any) -> Page:
    """Return a page with the requests of cluster a.b, and this number of latencies from 1 to 2 ms."""
    values: dict[str, Any] = {
        "cluster.a.b.upstream_rq_total": requests,
        "cluster.a.b.upstream_rq_5xx": requests // 10,
        "cluster.a.b.upstream_cx_rx_bytes_total": requests * 100,
    }
    histogram = Histogram(((1.0, 2.0, samples),))
    stats = Samples(Selection(), values, {"cluster.a.b.upstream_rq_time": histogram})
    return Page(name, "envoy", 0.0, {"stats": stats}, **options)


def snapshot(*pages: Page) -> Snapshot:
    return Snapshot(0.0, {one.name: one for one in pages})


def test_difference_is_summed_over_replicas() -> None:
    before = snapshot(page("web-1", 10, 10), page("web-2", 0))
    after = snapshot(page("web-1", 30, 20), page("web-2", 10, 10))
    assert cluster_counts(before, after, GROUPS) == [
        {
            "group": "web",
            "cluster": "a.b",
            "requests": 30,
            "failed": 3,
            "bytes": 3000,
            "p50_ms": 1.5,
            "p99_ms": 1.99,
        }
    ]


def test_latency_is_unknown_before_envoy_updates_its_histograms() -> None:
    [found] = cluster_counts(snapshot(page("edge", 0, 5)), snapshot(page("edge", 10, 5)), GROUPS)
    assert (found["requests"], found["p50_ms"], found["p99_ms"]) == (10, None, None)


def test_proxy_that_restarted_counts_from_zero() -> None:
    [found] = cluster_counts(snapshot(page("edge", 100, 50)), snapshot(page("edge", 20, 8)), GROUPS)
    assert (found["requests"], found["p50_ms"]) == (20, 1.5)


def test_proxy_that_does_not_answer_has_no_numbers() -> None:
    failed = page("edge", 20, failure=Failure("timeout", "no response"))
    assert cluster_counts(snapshot(page("edge", 10)), snapshot(failed), GROUPS) == []


def test_pods_are_counted_with_their_entry() -> None:
    pods = [page(f"edge-{name}", 10, group="edge") for name in "ab"]
    [found] = cluster_counts(snapshot(), snapshot(*pods), GROUPS)
    assert (found["group"], found["requests"]) == ("edge", 20)


def test_cluster_without_http_has_connections() -> None:
    stats = Samples(
        Selection(), {"cluster.db.upstream_cx_total": 4, "cluster.db.upstream_cx_connect_fail": 1}
    )
    [found] = cluster_counts(snapshot(), snapshot(Page("edge", "envoy", 0.0, {"stats": stats})), GROUPS)
    assert (found["cluster"], found["requests"], found["failed"]) == ("db", 4, 1)


def test_demo_without_envoys_has_no_snapshot() -> None:
    assert read_clusters([]) is None
    assert cluster_counts(None, None, GROUPS) == []
