# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rates and latencies of the last seconds, from two snapshots."""

from __future__ import annotations

import pytest
from watched_demo import START, edge_page, recent, silent_page, snapshot_of

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.recent_changes import (
    PageChange,
    quantiles,
    total,
)

REQUESTS, LATENCY = "cluster.web.upstream_rq_total", "cluster.web.upstream_rq_time"


def edge(*snapshots: Snapshot) -> PageChange:
    return recent(*snapshots).changes()["edge"]


def test_rate_is_increase_per_second() -> None:
    change = edge(snapshot_of(0, 100), snapshot_of(4, 140))
    assert change.rate(REQUESTS) == 10
    assert change.seconds == 4


def test_rate_of_first_snapshot_is_unknown() -> None:
    change = edge(snapshot_of(0, 100))
    assert change.rate(REQUESTS) is None
    assert change.latencies(LATENCY) is None
    assert change.seconds == 0


def test_rate_of_stat_that_was_unused_before_counts_from_zero() -> None:
    before = snapshot_of(0, 100)
    del before.pages["edge"].sources["stats"].values[REQUESTS]
    assert edge(before, snapshot_of(2, 20)).rate(REQUESTS) == 10


def test_rate_compares_with_the_window_and_not_with_the_start() -> None:
    snapshots = [snapshot_of(2.0 * number, 100 if number < 3 else 200) for number in range(9)]
    change = edge(*snapshots)
    assert change.seconds == 10
    assert change.rate(REQUESTS) == 0


def test_restarted_envoy_has_no_rate_until_the_next_snapshot() -> None:
    before = snapshot_of(0, 100)
    restarted = snapshot_of(60, 5, started=START + 50)
    assert edge(before, restarted).rate(REQUESTS) is None
    assert edge(before, restarted, snapshot_of(62, 25, started=START + 50)).rate(REQUESTS) == 10


def test_hot_restart_begins_again() -> None:
    after = snapshot_of(2, 5)
    after.pages["edge"].identity = edge_page(2, started=START).identity.__class__(
        "1.40.0", "LIVE", 1.0, START, 1
    )
    assert edge(snapshot_of(0, 100), after).rate(REQUESTS) is None


def test_counter_that_fell_has_no_negative_rate() -> None:
    assert edge(snapshot_of(0, 100), snapshot_of(2, 90)).rate(REQUESTS) == 0


def test_silent_envoy_is_compared_with_its_earlier_answer() -> None:
    silent = Snapshot(START + 2, {"edge": silent_page("edge", 2)})
    assert edge(snapshot_of(0, 0), silent, snapshot_of(4, 40)).rate(REQUESTS) == 10
    assert recent(snapshot_of(0, 0), silent).changes() == {}


def test_latencies_are_those_between_the_snapshots() -> None:
    slow = Histogram(((2.0, 3.0, 100.0), (50.0, 51.0, 10.0)), lower_inclusive=True)
    change = edge(snapshot_of(0, 100), snapshot_of(2, 110, **{LATENCY: slow}))
    assert quantiles([change.latencies(LATENCY)]) == (pytest.approx(50.5), pytest.approx(50.99))


def test_quantiles_without_a_sample_are_unknown() -> None:
    assert quantiles([None, Histogram(((1.0, 2.0, 0.0),))]) == (None, None)


def test_total_of_unknown_rates_is_unknown() -> None:
    assert total([None, 1.5, 2]) == 3.5
    assert total([None]) is None
