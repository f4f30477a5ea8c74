# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The earlier readings that a delta starts from: restarts, new endpoints and missing selections."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_snapshots import ALL, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Selection,
    read_snapshot,
)


def test_stat_outside_of_the_earlier_selection_fails() -> None:
    before = fake_snapshot(fake_page("edge", x=1))
    before.pages["edge"].sources["stats"].selection = Selection(frozenset(["x"]))
    verdict = verdict_of(
        {"stat": "new", "of": "delta", "op": "eq", "value": 3},
        fake_snapshot(fake_page("edge", new=3)),
        before,
    )
    assert verdict.failure is not None
    assert verdict.failure.kind == "absent"
    assert "does not include new" in verdict.failure.message


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (
            fake_page("e", 100, started=50, x=5),
            fake_page("e", 200, started=150, x=9),
        ),  # another process, although the number grew
        (fake_page("e", 100, started=50, epoch=0, x=5), fake_page("e", 200, started=50, epoch=1, x=9)),
        (fake_page("e", 100, x=5), fake_page("e", 200, x=4)),  # reset_counters: the same process
    ],
)
def test_delta_across_a_restart_fails(then: Page, now: Page) -> None:
    for of in ("delta", "rate"):
        verdict = verdict_of(
            {"stat": "x", "of": of, "op": "ge", "value": -1000}, fake_snapshot(now), fake_snapshot(then)
        )
        assert verdict.failure is not None
        assert (verdict.ok, verdict.failure.kind, verdict.is_final) == (False, "restarted", True)


def test_rounded_uptime_is_no_restart() -> None:
    then, now = (
        fake_snapshot(fake_page("e", 100.9, started=50.9, x=1)),
        fake_snapshot(fake_page("e", 101.0, started=51.8, x=2)),
    )
    assert verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": 1}, now, then).ok


def test_other_bootstrap_time_is_a_restart() -> None:
    earlier, later = fake_page("e", 100, x=5), fake_page("e", 101, x=9)
    earlier.identity = Identity(uptime=0, started=100, loaded="16:40:26.005")
    later.identity = Identity(uptime=0, started=100.1, loaded="16:40:26.105")
    verdict = verdict_of(
        {"stat": "x", "of": "delta", "op": "eq", "value": 4}, fake_snapshot(later), fake_snapshot(earlier)
    )
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"
    assert "at 16:40:26.005, now at 16:40:26.105" in verdict.failure.message


def test_lower_uptime_is_a_restart() -> None:
    earlier, later = fake_page("e", 100, x=5), fake_page("e", 101, x=9)
    earlier.identity = Identity(uptime=4, started=96, slack=6)
    later.identity = Identity(uptime=0, started=101, slack=6)
    verdict = verdict_of(
        {"stat": "x", "of": "delta", "op": "eq", "value": 4}, fake_snapshot(later), fake_snapshot(earlier)
    )
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"


def test_changed_clock_is_no_restart() -> None:
    # It seems to have started later, and was there when the earlier snapshot was taken.
    earlier, later = fake_page("e", 100, started=50, x=5), fake_page("e", 200, started=70, x=9)
    assert verdict_of(
        {"stat": "x", "of": "delta", "op": "eq", "value": 4}, fake_snapshot(later), fake_snapshot(earlier)
    ).ok


def test_delta_of_a_new_endpoint_starts_at_0() -> None:
    then = fake_snapshot(fake_page("old", 100, x=5))
    fresh = fake_snapshot(fake_page("new", 200, started=150, x=9))
    assert verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": 9}, fresh, then).ok
    known = fake_snapshot(fake_page("new", 200, started=50, x=9))
    verdict = verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": 9}, known, then)
    assert verdict.failure is not None
    assert "has no endpoint new" in verdict.failure.message


@pytest.mark.parametrize(
    "asked",
    [
        {"stat": "h", "bucket": "inf", "of": "delta", "op": "ge", "value": 0},
        {"stat": "h", "bucket": 5, "of": "rate", "op": "ge", "value": 0},
        {"stat": "h", "quantile": 0.5, "of": "delta", "op": "ge", "value": 0},
        {"match": "h.*", "bucket": "inf", "of": "delta", "across": "sum", "op": "ge", "value": 0},
        {"match": "nothing", "bucket": "inf", "of": "delta", "across": "sum", "op": "eq", "value": 0},
    ],
)
def test_earlier_snapshot_without_histograms_fails(asked: dict[str, Any]) -> None:
    then, now = (
        fake_snapshot(fake_page("e", x=1)),
        fake_snapshot(fake_page("e", 200, x=3, h=Histogram(((0, 1, 6),)))),
    )
    before = parse_stats(b'{"stats":[{"name":"x","value":1}]}', ALL, histograms=False)
    then.pages["e"].sources["stats"] = before
    for earlier in (then, read_snapshot(json.loads(json.dumps(then.as_data())))):
        verdict = verdict_of(asked, now, earlier)
        assert verdict.failure is not None
        assert verdict.failure.kind == "absent"
        assert "the earlier snapshot has no histograms" in verdict.failure.message
        assert verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": 2}, now, earlier).ok


def test_sum_of_no_match_fails_across_a_restart() -> None:
    then, now = (
        fake_snapshot(fake_page("e", 100, started=50, x=5)),
        fake_snapshot(fake_page("e", 200, started=150)),
    )
    verdict = verdict_of({"match": "x.*", "of": "delta", "across": "sum", "op": "eq", "value": 0}, now, then)
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        5,
        {"endpoints": {}},
        {"version": 1, "endpoints": {"a": {}}, "time": 1},
        {"version": 9, "endpoints": {}},
    ],
)
def test_read_snapshot_refuses_other_data(data: Any) -> None:
    with pytest.raises(ArgumentError, match="since"):
        read_snapshot(data)
