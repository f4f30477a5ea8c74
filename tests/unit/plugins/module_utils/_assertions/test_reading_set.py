# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one number of all endpoints, also for more readings than are kept."""

from __future__ import annotations

from typing import Any

import pytest
from fake_snapshots import fake_page, fake_snapshot, verdict_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram


@pytest.mark.parametrize(
    ("values", "share"),
    [((-10, -5), 0.5), ((-1, 1), 2), ((0, -4), 1), ((-3, -3), 0), ((0, 0), 0), ((10, 5), 0.5)],
)
def test_spread_of_negative_values(values: tuple[int, int], share: float) -> None:
    fleet = fake_snapshot(*(fake_page(name, x=value) for name, value in zip("ab", values, strict=True)))
    assert verdict_of({"stat": "x", "across": "spread", "op": "eq", "value": share}, fleet).ok


@given(
    st.one_of(
        st.lists(st.integers(-(10**30), 10**30), min_size=1, max_size=5),
        st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=5),
    )
)
def test_spread_is_0_only_for_equal_values(values: list[float]) -> None:
    fleet = fake_snapshot(*(fake_page(f"e{place}", x=value) for place, value in enumerate(values)))
    seen = verdict_of({"stat": "x", "across": "spread", "op": "ge", "value": 0}, fleet)
    assert seen.ok
    assert isinstance(seen.observed, (int, float))
    assert (seen.observed == 0) is (len(set(values)) == 1)
    assert seen.observed <= 2


SHARE = {"stat": "bad", "over": "all", "across": "sum", "op": "le", "value": 0.01}


@pytest.mark.parametrize("more", [{}, {"tolerance": "binomial"}])
def test_idle_endpoint_is_left_out_of_a_sum_ratio(more: dict[str, Any]) -> None:
    busy, idle = fake_page("a", bad=1, all=100), fake_page("b", bad=0, all=0)
    verdict = verdict_of({**SHARE, **more}, fake_snapshot(busy, idle))
    assert (verdict.ok, verdict.observed) == (True, 0.01)
    assert not verdict_of({**SHARE, **more, "value": 0}, fake_snapshot(busy, idle)).ok
    # What is counted where nothing is, counts.
    assert verdict_of({**SHARE, **more}, fake_snapshot(busy, fake_page("b", bad=99, all=0))).observed == 1
    idle_verdict = verdict_of({**SHARE, **more}, fake_snapshot(idle, fake_page("c", bad=0, all=0)))
    assert idle_verdict.failure == Failure("comparison", "all is 0 in total, so there is no ratio to it")
    assert not idle_verdict.ok
    assert "(sum of ratio of bad to all at a, b)" in verdict_of(
        {**SHARE, **more, "value": 0}, fake_snapshot(busy, idle)
    ).message(1)
    for across in ("each", "max"):
        if not (more and across == "max"):
            assert "all is 0, so there is no" in verdict_of(
                {**SHARE, **more, "across": across}, fake_snapshot(idle)
            ).message(1)


def test_idle_endpoint_is_left_out_of_a_sum_quantile() -> None:
    busy, idle = fake_page("a", h=Histogram(((1, 2, 10),))), fake_page("b", h=Histogram(()))
    asked = {"stat": "h", "quantile": 0.5, "across": "sum", "op": "le", "value": 2}
    assert verdict_of(asked, fake_snapshot(busy, idle)).ok
    then, now = (
        fake_snapshot(busy, idle),
        fake_snapshot(
            fake_page("a", 200, h=Histogram(((1, 2, 10), (3, 4, 2)))), fake_page("b", 200, h=Histogram(()))
        ),
    )
    assert verdict_of({**asked, "of": "delta"}, now, then).observed == 3.5
    for verdict in (verdict_of(asked, fake_snapshot(idle)), verdict_of({**asked, "of": "delta"}, then, then)):
        assert verdict.failure is not None
        assert verdict.failure.message.startswith("it has no sample")
    assert "it has no sample" in verdict_of({**asked, "across": "max"}, fake_snapshot(busy, idle)).message(1)


def test_quantile_of_a_sum_uses_all_samples() -> None:
    now = fake_snapshot(
        fake_page("a", h=Histogram(((0, 1, 99),))), fake_page("b", h=Histogram(((10, 11, 1),)))
    )
    assert (
        verdict_of({"stat": "h", "quantile": 0.5, "across": "max", "op": "lt", "value": 2}, now).observed
        == 10.5
    )
    assert verdict_of({"stat": "h", "quantile": 0.5, "across": "sum", "op": "lt", "value": 2}, now).ok


@pytest.mark.parametrize(
    ("entry", "ok", "observed"),
    [
        ({"across": "sum", "op": "eq", "value": 3_002}, True, 3_002),
        ({"across": "count", "op": "eq", "value": 3_000}, True, 3_000),
        ({"across": "max", "op": "lt", "value": 3}, False, 3),
        ({"op": "eq", "value": 1}, False, 3),
    ],
)
def test_readings_beyond_the_limit_count(entry: dict[str, Any], ok: bool, observed: int) -> None:
    ones = {f"x{number}": 1 for number in range(1_500)}
    verdict = verdict_of(
        {"match": "x.*", **entry},
        fake_snapshot(fake_page("a", **ones), fake_page("b", **{**ones, "x1499": 3})),
    )
    assert (verdict.ok, verdict.observed) == (ok, observed)
    assert len(verdict.readings) <= 1_001


def test_text_beyond_the_limit_fails_a_sum() -> None:
    ones = {f"x{number}": 1 for number in range(1_500)}
    verdict = verdict_of(
        {"match": "x.*", "across": "sum", "op": "eq", "value": 3_000},
        fake_snapshot(fake_page("a", **ones), fake_page("b", **ones, xt="text")),
    )
    assert verdict.failure is not None
    assert "'text' is text, which has no sum" in verdict.failure.message


CANARY = {"stat": "v2", "over": "all", "op": "eq", "value": 0.1, "tolerance": "binomial"}


def test_binomial_tolerance_of_a_sum() -> None:
    # Each of them is as improbable as none of 40 are, all together are what was to be expected.
    fleet = fake_snapshot(
        *(fake_page(name, v2=count, all=100) for name, count in (("a", 40), ("b", 0), ("c", 0), ("d", 0)))
    )
    assert verdict_of({**CANARY, "across": "sum"}, fleet).message(1.0) == (
        "expected 14 to 72 of 400 for a share of 10 %, got 40 (sum of ratio of v2 to all at 4 endpoints)"
    )
    wrong = verdict_of(CANARY, fleet)
    assert (wrong.ok, wrong.observed) == (False, 0.4)
    assert (
        "expected 0 to 27 of 100 for a share of 10 %, got 40 (ratio of v2 to all at a) after 1.0 s"
        in wrong.message(1.0)
    )
    huge = fake_snapshot(fake_page("a", v2=1, all=10**12), fake_page("b", v2=1, all=10**12))
    assert "1 to 1e+12 trials, and there were 2e+12 (all in total)" in verdict_of(
        {**CANARY, "across": "sum"}, huge
    ).message(1.0)
