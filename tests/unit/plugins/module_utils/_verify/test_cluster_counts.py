# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the numbers of clusters: the difference of two snapshots, summed over the replicas of a group."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

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
    with_latencies,
)

GROUPS = {"edge": "edge", "web-1": "web", "web-2": "web"}


def page(
    name: str, requests: int, samples: int = 0, uptime: int = 7, allocated: int = 500, **options: Any
) -> Page:
    """Return a page with the requests of cluster a.b, and this number of latencies from 1 to 2 ms."""
    values: dict[str, Any] = {
        "server.uptime": uptime,
        "server.memory_allocated": allocated,
        "cluster.a.b.upstream_rq_total": requests,
        "cluster.a.b.upstream_rq_completed": requests,
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


class Flushes:
    """Reads prepared snapshots in turn, the last one again and again, and records whose pages are read."""

    def __init__(self, *snapshots: Snapshot | None) -> None:
        self.snapshots = [*snapshots]
        self.names: list[list[str]] = []

    def read(self, names: Collection[str]) -> Snapshot | None:
        self.names.append(sorted(names))
        return self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]


def waited(flushes: Flushes, before: Snapshot, after: Snapshot) -> list[tuple[int, float | None]]:
    """Return the requests and p50 of each cluster after the wait for latencies."""
    found = with_latencies(before, after, flushes.read, sleep=lambda _seconds: None)
    return [(one["requests"], one["p50_ms"]) for one in cluster_counts(before, found, GROUPS)]


def test_latencies_of_each_proxy_are_awaited() -> None:
    before = snapshot(page("edge", 10, 10), page("web-1", 0))
    after = snapshot(page("edge", 30, 10), page("web-1", 20, 0))
    flushes = Flushes(
        snapshot(page("edge", 31, 10), page("web-1", 20, 20)), snapshot(page("edge", 32, 30, uptime=8))
    )
    # The requests of the readings are not counted.
    assert waited(flushes, before, after) == [(20, 1.5), (20, 1.5)]
    assert flushes.names == [["edge", "web-1"], ["edge"]]


def test_flushed_proxy_is_not_read_again() -> None:
    flushes = Flushes(None)
    assert waited(flushes, snapshot(page("edge", 10, 10)), snapshot(page("edge", 30, 30))) == [(20, 1.5)]
    assert waited(flushes, snapshot(page("edge", 10, 5)), snapshot(page("edge", 10, 5))) == [(0, None)]
    assert flushes.names == []


def test_second_flush_ends_the_wait_without_latencies() -> None:
    """The first flush can have begun before the last request."""
    readings = [
        snapshot(page("edge", 30, samples, uptime, allocated))
        for samples, uptime, allocated in (
            (10, 7, 500),
            (20, 7, 501),
            (20, 7, 501),
            (25, 8, 501),
            (26, 9, 502),
        )
    ]
    flushes = Flushes(*readings)
    assert waited(flushes, snapshot(page("edge", 10, 10)), snapshot(page("edge", 30, 10))) == [(20, 1.5)]
    assert len(flushes.names) == 4


def test_wait_for_a_flush_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{with_latencies.__module__}.FLUSH_TIMEOUT", 0.01)
    flushes = Flushes(snapshot(page("edge", 30, 10)))
    assert waited(flushes, snapshot(page("edge", 10, 10)), snapshot(page("edge", 30, 10))) == [(20, None)]


def test_wait_for_a_flush_ends_with_the_proxy() -> None:
    flushes = Flushes(None)
    assert waited(flushes, snapshot(page("edge", 10, 10)), snapshot(page("edge", 30, 10))) == [(20, None)]
    assert len(flushes.names) == 1


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
    assert with_latencies(None, None, lambda names: None) is None
    assert cluster_counts(None, None, GROUPS) == []
