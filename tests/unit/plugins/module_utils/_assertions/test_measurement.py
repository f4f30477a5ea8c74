# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an assertion reads on one endpoint: values, deltas, ratios and histograms."""

from __future__ import annotations

from typing import Any

import pytest
from fake_snapshots import fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Selection,
)


def test_delta_of_a_gauge_can_be_negative() -> None:
    then, now = fake_snapshot(fake_page("e", x=5)), fake_snapshot(fake_page("e", 200, x=4))
    now.pages["e"].sources["stats"].kinds["x"] = "gauge"
    assert verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": -1}, now, then).ok


def test_fallen_stat_of_unknown_kind_fails() -> None:
    """A snapshot contains no kinds, and no request can read them."""
    then, now = fake_snapshot(fake_page("e", x=5)), fake_snapshot(fake_page("e", 200, x=4))
    asked = {"stat": "x", "of": "delta", "op": "eq", "value": -1}
    reason = "it fell from 5 to 4: Envoy does not report whether it is a counter, which was reset, or a gauge"
    assert reason in verdict_of(asked, now, then).message(1)
    now.pages["e"].sources["stats"].kinds["x"] = "counter"
    assert "it fell from 5 to 4: the counter was reset, so its delta is unknown" in verdict_of(
        asked, now, then
    ).message(1)


def test_ratio_of_two_stats() -> None:
    now = fake_snapshot(fake_page("a", bad=1, all=10), fake_page("b", bad=3, all=10), fake_page("c", all=20))
    ratio = {"stat": "bad", "over": "all", "op": "le", "value": 0.1}
    assert verdict_of({**ratio, "default": 0, "across": "sum"}, now).ok  # 4 of 40
    verdict = verdict_of({**ratio, "default": 0}, now)
    assert (verdict.ok, verdict.observed) == (False, 0.3)
    assert verdict_of(ratio, now).failure == Failure("absent", "it does not exist")
    idle = verdict_of(ratio, fake_snapshot(fake_page("a", bad=0, all=0)))
    assert idle.failure is not None
    assert "all is 0" in idle.failure.message


def test_quantile_of_samples_since_a_snapshot() -> None:
    slow, fast = (100.0, 110.0, 50), (1.0, 1.1, 10)
    then, now = (
        fake_snapshot(fake_page("e", h=Histogram((slow,)))),
        fake_snapshot(fake_page("e", 200, h=Histogram((fast, slow)))),
    )
    assert not verdict_of({"stat": "h", "quantile": 0.99, "op": "lt", "value": 50}, now).ok
    verdict = verdict_of({"stat": "h", "quantile": 0.99, "of": "delta", "op": "lt", "value": 50}, now, then)
    assert verdict.ok
    assert verdict.as_data(0)["error"] == pytest.approx(0.1, abs=0.01)
    assert verdict_of({"stat": "h", "bucket": 1.1, "of": "delta", "op": "eq", "value": 10}, now, then).ok
    assert verdict_of({"match": "h", "bucket": "inf", "across": "sum", "op": "eq", "value": 60}, now).ok
    reset = verdict_of({"stat": "h", "quantile": 0.5, "of": "delta", "op": "lt", "value": 50}, then, now)
    assert reset.failure is not None
    assert reset.failure.kind == "restarted"


def test_interval_is_the_last_flush_and_never_final() -> None:
    now = fake_snapshot(fake_page("e", h=Histogram(((1.0, 2.0, 40),))))
    now.pages["e"].sources["stats"].intervals["h"] = Histogram(((1.0, 2.0, 4),))
    asked = {"stat": "h", "bucket": "inf", "op": "eq", "value": 3}
    for across in ("each", "sum"):
        flushed = verdict_of({**asked, "window": "interval", "across": across}, now)
        assert (flushed.observed, flushed.is_final) == (4, False)
        assert verdict_of({**asked, "across": across}, now).is_final


def test_ratio_to_all_matching_stats() -> None:
    now = fake_snapshot(fake_page("e", **{"c.a.bad": 1, "c.a.all": 10, "c.b.all": 30}))
    ratio = {"match": r"c\..*\.bad", "over_match": r"c\..*\.all", "op": "eq", "value": 0.025}
    assert verdict_of(ratio, now).ok
    assert "(ratio of stats that match c\\..*\\.bad to stats that match c\\..*\\.all at e)" in verdict_of(
        {**ratio, "op": "gt"}, now
    ).message(0)
    lacking = verdict_of({**ratio, "over_match": "nothing"}, now).failure
    assert lacking == Failure("absent", "there are no stats that match nothing")
    missing = verdict_of({"stat": "c.a.bad", "over": "c.a.al", "op": "eq", "value": 1}, now).failure
    assert missing == Failure("absent", "c.a.al does not exist")


@pytest.mark.parametrize("across", ["each", "sum", "max", "count"])
def test_removed_stat_fails_a_delta(across: str) -> None:
    then, now = (
        fake_snapshot(fake_page("e", a=1, b=5, text="x", zero=0)),
        fake_snapshot(fake_page("e", 200, a=3)),
    )
    asked = {"match": ".*", "of": "delta", "across": across, "op": "ge", "value": 0}
    verdict = verdict_of(asked, now, then)
    assert verdict.failure is not None
    assert (verdict.failure.kind, [one.stat for one in verdict.failed]) == ("restarted", ["b", "zero"])
    assert "what it counted is lost" in verdict.message(1)
    # What was never used was 0, and usedonly does not show it.
    now.pages["e"].sources["stats"].selection = Selection(everything=True, usedonly=True)
    assert [one.stat for one in verdict_of(asked, now, then).failed] == ["b"]
    then.pages["e"].sources["stats"].values["b"] = 0
    assert verdict_of(asked, now, then).ok
    assert verdict_of({**asked, "across": "any"}, fake_snapshot(fake_page("e", 200, a=3)), then).ok


NO_SAMPLES = {"stat": "h", "bucket": "inf", "op": "eq", "value": 0, "default": 0}


@pytest.mark.parametrize(
    ("then", "asked", "observed"),
    [
        ({}, {}, 0),
        ({}, {"default": 3, "value": 3}, 3),
        ({}, {"bucket": 5, "across": "sum"}, 0),
        ({}, {"of": "delta"}, 0),
        ({}, {"of": "rate"}, 0),
        ({}, {"of": "delta", "default": 3}, 0),
        # The count of a removed histogram is lost, as that of a counter.
        ({"h": Histogram(((0, 1, 5),))}, {"of": "delta"}, None),
    ],
)
def test_default_of_an_absent_histogram(
    then: dict[str, Any], asked: dict[str, Any], observed: float | None
) -> None:
    verdict = verdict_of(
        {**NO_SAMPLES, **asked},
        fake_snapshot(fake_page("e", 200, x=1)),
        fake_snapshot(fake_page("e", x=1, **then)),
    )
    assert (verdict.ok, verdict.observed) == (observed is not None, observed)
    # It is about what is not there, and not about what is no histogram.
    no_histogram = verdict_of(
        {**NO_SAMPLES, **asked, "stat": "x"},
        fake_snapshot(fake_page("e", 200, x=1)),
        fake_snapshot(fake_page("e", x=1)),
    )
    assert no_histogram.failure == Failure("absent", "it is not a histogram")


def test_removed_histogram_fails_a_delta() -> None:
    then = fake_snapshot(fake_page("e", a=Histogram(((0, 1, 5),)), b=Histogram(((0, 1, 5),))))
    now = fake_snapshot(fake_page("e", 200, a=Histogram(((0, 1, 6),))))
    asked = {"match": ".", "bucket": "inf", "of": "delta", "across": "sum", "op": "eq", "value": 1}
    verdict = verdict_of(asked, now, then)
    assert verdict.failure is not None
    assert (verdict.failure.kind, verdict.failed[0].stat) == ("restarted", "b")


@pytest.mark.parametrize("gone", ["bad.b", "all.b"])
def test_removed_stat_fails_a_ratio(gone: str) -> None:
    there = {"bad.a": 1, "bad.b": 2, "all.a": 10, "all.b": 10}
    then = fake_snapshot(fake_page("e", **there))
    later = {name: value + 5 for name, value in there.items() if name != gone}
    ratio = {"match": "bad.*", "over_match": "all.*", "of": "delta", "op": "ge", "value": 0}
    verdict = verdict_of(ratio, fake_snapshot(fake_page("e", 200, **later)), then)
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"


CANARY = {"stat": "v2", "over": "all", "op": "eq", "value": 0.1, "tolerance": "binomial"}


def test_binomial_tolerance_of_a_delta() -> None:
    then, now = (
        fake_snapshot(fake_page("edge", v2=1000, all=1000)),
        fake_snapshot(fake_page("edge", v2=1020, all=1200)),
    )
    since = {**CANARY, "of": "delta"}
    assert (
        "expected 3 to 43 of 200 for a share of 10 %, got 20 (delta of ratio of v2 to all at edge)"
        in verdict_of(since, now, then).message(0.5)
    )
    assert verdict_of(CANARY, now, then).ok is False
