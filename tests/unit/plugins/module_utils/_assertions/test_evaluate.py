# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assertions against snapshots: what holds, what does not, and what is said about it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.missing_stat_hints import (
    explain_absence,
    explain_from,
    hint,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import doubts
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import EndpointPool
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity, Samples
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Endpoint,
    Page,
    Selection,
    Snapshot,
    SpecError,
    Verdict,
    judge_hosts,
    parse_assertions,
    parse_endpoints,
    read_hosts,
    read_snapshot,
)

ALL = Selection(everything=True)


def ends(*names: str) -> list[Endpoint]:
    return parse_endpoints([{"name": name, "url": f"http://{name}"} for name in names])


def page(name: str, time: float = 100.0, started: float = 0.0, epoch: int = 0, **values: Any) -> Page:
    histograms = {key: values.pop(key) for key in list(values) if isinstance(values[key], Histogram)}
    samples = Samples(ALL, values, histograms)
    return Page(
        name, "envoy", time, {"stats": samples}, Identity("1.40.0", "LIVE", time - started, started, epoch)
    )


def snap(*pages: Page) -> Snapshot:
    return Snapshot(pages[0].time if pages else 0.0, {one.name: one for one in pages})


def judge(entry: dict[str, Any], now: Snapshot, since: Snapshot | None = None) -> Verdict:
    return evaluate(parse_assertions([entry])[0], ends(*now.pages), now, since)


FLEET = snap(page("a", x=10, y=1), page("b", x=20, y=0), page("c", x=30))


@pytest.mark.parametrize(
    ("across", "op", "value", "ok", "observed"),
    [
        ("each", "ge", 10, True, 10),
        ("each", "ge", 15, False, 10),
        ("any", "eq", 20, True, 20),
        ("any", "eq", 21, False, 10),
        ("sum", "eq", 60, True, 60),
        ("min", "eq", 10, True, 10),
        ("max", "eq", 30, True, 30),
        ("avg", "eq", 20, True, 20),
        ("count", "eq", 3, True, 3),
        ("spread", "le", 0.6, False, 2 / 3),
    ],
)
def test_across(across: str, op: str, value: float, ok: bool, observed: float) -> None:
    verdict = judge({"stat": "x", "across": across, "op": op, "value": value}, FLEET)
    assert (verdict.ok, verdict.observed) == (ok, observed)
    assert (verdict.failure is None) is ok


@pytest.mark.parametrize(
    ("values", "share"),
    [((-10, -5), 0.5), ((-1, 1), 2), ((0, -4), 1), ((-3, -3), 0), ((0, 0), 0), ((10, 5), 0.5)],
)
def test_the_spread_of_negative_readings(values: tuple[int, int], share: float) -> None:
    fleet = snap(*(page(name, x=value) for name, value in zip("ab", values, strict=True)))
    assert judge({"stat": "x", "across": "spread", "op": "eq", "value": share}, fleet).ok


@given(
    st.one_of(
        st.lists(st.integers(-(10**30), 10**30), min_size=1, max_size=5),
        st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=5),
    )
)
def test_a_spread_is_0_only_where_all_are_equal(values: list[float]) -> None:
    fleet = snap(*(page(f"e{place}", x=value) for place, value in enumerate(values)))
    seen = judge({"stat": "x", "across": "spread", "op": "ge", "value": 0}, fleet)
    assert seen.ok
    assert isinstance(seen.observed, (int, float))
    assert (seen.observed == 0) is (len(set(values)) == 1)
    assert seen.observed <= 2


def test_a_stat_that_is_missing_somewhere_fails() -> None:
    for across in ("each", "sum", "min", "spread"):
        verdict = judge({"stat": "y", "across": across, "op": "ge", "value": 0}, FLEET)
        assert verdict.failure is not None
        assert (verdict.failure.kind, verdict.wrong[0].endpoint) == ("absent", "c")
    assert judge({"stat": "y", "across": "sum", "default": 0, "op": "eq", "value": 1}, FLEET).ok
    assert judge({"stat": "y", "across": "any", "op": "eq", "value": 1}, FLEET).ok


def test_the_sum_of_nothing_that_matches_is_0_and_nothing_else_is() -> None:
    assert judge({"match": "z.*", "across": "sum", "op": "eq", "value": 0}, FLEET).ok
    assert judge({"match": "z.*", "across": "count", "op": "eq", "value": 0}, FLEET).ok
    for across in ("each", "any", "max", "avg"):
        verdict = judge({"match": "z.*", "across": across, "op": "eq", "value": 0}, FLEET)
        assert verdict.failure is not None
        assert verdict.failure.kind == "absent"


def test_presence() -> None:
    assert judge({"stat": "x", "op": "present"}, FLEET).ok
    assert judge({"stat": "z", "op": "absent"}, FLEET).ok
    assert judge({"match": "z.*", "op": "absent"}, FLEET).ok
    assert not judge({"stat": "y", "op": "present"}, FLEET).ok
    assert judge({"stat": "y", "op": "present", "across": "any"}, FLEET).ok
    assert judge({"stat": "y", "op": "absent", "across": "any"}, FLEET).ok
    assert judge({"match": "[yz]", "op": "absent", "across": "any"}, FLEET).ok
    everywhere = judge({"stat": "x", "op": "absent", "across": "any"}, FLEET)
    assert everywhere.message(1) == "x at a, b, c: expected any absent, but it is there, with 10 after 1.0 s"
    verdict = judge({"stat": "y", "op": "absent"}, FLEET)
    assert (
        verdict.message(1)
        == "y at a: expected absent, but it is there, with 1 after 1.0 s (1 more like this)"
    )


def test_what_could_not_be_asked_is_neither_absent_nor_0() -> None:
    broken = Page("b", "envoy", 1.0, failure=Failure("unreachable", "http://b: connection refused"))
    now = snap(page("a", x=1), broken)
    for entry in (
        {"op": "absent", "stat": "z"},
        {"op": "eq", "value": 0, "match": "z", "across": "sum"},
        {"op": "eq", "value": 1, "stat": "x"},
    ):
        verdict = judge(entry, now)
        assert verdict.failure is not None
        assert verdict.failure.kind == "unreachable"
    message = judge({"stat": "x", "op": "eq", "value": 1}, now).message(5)
    assert message == "x at b: expected eq 1, but http://b: connection refused after 5.0 s"


def test_delta_and_its_sentence() -> None:
    before, now = snap(page("edge", 100, x=1)), snap(page("edge", 105, x=20, new=3))
    verdict = judge({"stat": "x", "of": "delta", "op": "eq", "value": 20}, now, before)
    assert verdict.message(5.0) == "x at edge: expected delta eq 20, saw 19 after 5.0 s"
    assert judge({"stat": "x", "of": "rate", "op": "eq", "value": 3.8}, now, before).ok
    assert judge(
        {"stat": "new", "of": "delta", "op": "eq", "value": 3}, now, before
    ).ok  # Envoy makes counters when they first count
    again = read_snapshot(json.loads(json.dumps(before.as_data())))
    assert judge({"stat": "x", "of": "delta", "op": "eq", "value": 19}, now, again).ok


def test_a_stat_that_the_earlier_snapshot_did_not_look_for_is_no_0() -> None:
    before = snap(page("edge", x=1))
    before.pages["edge"].sources["stats"].selection = Selection(frozenset(["x"]))
    verdict = judge({"stat": "new", "of": "delta", "op": "eq", "value": 3}, snap(page("edge", new=3)), before)
    assert verdict.failure is not None
    assert verdict.failure.kind == "absent"
    assert "did not look for new" in verdict.failure.message


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (
            page("e", 100, started=50, x=5),
            page("e", 200, started=150, x=9),
        ),  # another process, although the number grew
        (page("e", 100, started=50, epoch=0, x=5), page("e", 200, started=50, epoch=1, x=9)),
        (page("e", 100, x=5), page("e", 200, x=4)),  # reset_counters: the same process
    ],
)
def test_a_difference_across_a_restart_says_nothing(then: Page, now: Page) -> None:
    for of in ("delta", "rate"):
        verdict = judge({"stat": "x", "of": of, "op": "ge", "value": -1000}, snap(now), snap(then))
        assert verdict.failure is not None
        assert (verdict.ok, verdict.failure.kind, verdict.final) == (False, "restarted", True)


def test_uptime_in_whole_seconds_is_no_restart() -> None:
    then, now = snap(page("e", 100.9, started=50.9, x=1)), snap(page("e", 101.0, started=51.8, x=2))
    assert judge({"stat": "x", "of": "delta", "op": "eq", "value": 1}, now, then).ok


NOBODY = Identity()
SOON = "the process started shortly before or after the earlier snapshot"


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        (NOBODY, page("e", 200).identity, "the earlier snapshot does not contain when the process started"),
        (page("e", 100).identity, NOBODY, "the endpoint does not show when its process started"),
        (page("e", 100).identity, None, "the endpoint does not show when its process started"),
        # An uptime that is as old as Envoy's last flush: it may have been there, and may have come since.
        (Identity(uptime=0, started=100, slack=6), Identity(uptime=0, started=103, slack=6), SOON),
        (Identity(uptime=9, started=91, slack=6), Identity(uptime=9, started=94, slack=6), ""),
        (Identity(uptime=0, started=100, slack=1), Identity(uptime=0, started=100.1, slack=1), SOON),
        (page("e", 100.9, started=99.9).identity, page("e", 109, started=100.8).identity, ""),
        (Identity(uptime=0, started=100, loaded="a"), Identity(uptime=3, started=100.1, loaded="a"), ""),
        (Identity(uptime=0, started=100, loaded="a"), Identity(uptime=3, started=100.1), SOON),
    ],
)
def test_a_restart_that_cannot_be_excluded_is_told(
    then: Identity | None, now: Identity | None, words: str
) -> None:
    earlier, later = page("e", 100, x=5), page("e", 200, x=9)
    earlier.identity, later.identity = then, now
    verdict = judge({"stat": "x", "of": "delta", "op": "eq", "value": 4}, snap(later), snap(earlier))
    assert verdict.ok
    told = f"; whether e was restarted in between cannot be told, since {words}"
    assert (told in verdict.message(1)) is bool(words)
    # What can be mended is worth a warning.
    assert bool(doubts([verdict, verdict])) is (words not in ("", SOON))
    assert "told" not in judge({"stat": "x", "op": "eq", "value": 9}, snap(later), snap(earlier)).message(1)


def test_another_bootstrap_is_another_process() -> None:
    earlier, later = page("e", 100, x=5), page("e", 101, x=9)
    earlier.identity = Identity(uptime=0, started=100, loaded="16:40:26.005")
    later.identity = Identity(uptime=0, started=100.1, loaded="16:40:26.105")
    verdict = judge({"stat": "x", "of": "delta", "op": "eq", "value": 4}, snap(later), snap(earlier))
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"
    assert "at 16:40:26.005, now at 16:40:26.105" in verdict.failure.message


def test_an_uptime_that_fell_is_a_restart_however_old_it_is() -> None:
    earlier, later = page("e", 100, x=5), page("e", 101, x=9)
    earlier.identity = Identity(uptime=4, started=96, slack=6)
    later.identity = Identity(uptime=0, started=101, slack=6)
    verdict = judge({"stat": "x", "of": "delta", "op": "eq", "value": 4}, snap(later), snap(earlier))
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"


def test_a_clock_that_was_set_is_no_restart() -> None:
    # It seems to have started later, and was there when the earlier snapshot was taken.
    earlier, later = page("e", 100, started=50, x=5), page("e", 200, started=70, x=9)
    assert judge({"stat": "x", "of": "delta", "op": "eq", "value": 4}, snap(later), snap(earlier)).ok


def test_a_gauge_may_go_back() -> None:
    then, now = snap(page("e", x=5)), snap(page("e", 200, x=4))
    now.pages["e"].sources["stats"].kinds["x"] = "gauge"
    assert judge({"stat": "x", "of": "delta", "op": "eq", "value": -1}, now, then).ok


def test_what_went_back_and_is_not_known_is_told_as_that() -> None:
    """As of snapshots, where nothing can be asked."""
    then, now = snap(page("e", x=5)), snap(page("e", 200, x=4))
    asked = {"stat": "x", "of": "delta", "op": "eq", "value": -1}
    words = "it went back from 5 to 4: as a counter it was reset"
    assert words in judge(asked, now, then).message(1)
    now.pages["e"].sources["stats"].kinds["x"] = "counter"
    assert "its counters were reset, so a delta" in judge(asked, now, then).message(1)


def test_an_endpoint_that_came_later() -> None:
    then = snap(page("old", 100, x=5))
    fresh = snap(page("new", 200, started=150, x=9))
    assert judge({"stat": "x", "of": "delta", "op": "eq", "value": 9}, fresh, then).ok
    known = snap(page("new", 200, started=50, x=9))
    verdict = judge({"stat": "x", "of": "delta", "op": "eq", "value": 9}, known, then)
    assert verdict.failure is not None
    assert "knows no endpoint new" in verdict.failure.message


def test_a_counter_that_is_past_ends_the_waiting() -> None:
    now = snap(page("e", x=21))
    assert not judge({"stat": "x", "op": "eq", "value": 20}, now).final  # it might be a gauge
    now.pages["e"].sources["stats"].kinds["x"] = "counter"
    assert judge({"stat": "x", "op": "eq", "value": 20}, now).final
    assert judge({"stat": "x", "op": "lt", "value": 20, "across": "sum"}, now).final
    assert not judge({"stat": "x", "op": "eq", "value": 22}, now).final
    assert not judge({"stat": "x", "op": "eq", "value": 20, "across": "min"}, now).final


def test_ratio() -> None:
    now = snap(page("a", bad=1, all=10), page("b", bad=3, all=10), page("c", all=20))
    ratio = {"stat": "bad", "over": "all", "op": "le", "value": 0.1}
    assert judge({**ratio, "default": 0, "across": "sum"}, now).ok  # 4 of 40
    verdict = judge({**ratio, "default": 0}, now)
    assert (verdict.ok, verdict.observed) == (False, 0.3)
    assert judge(ratio, now).failure == Failure("absent", "it is not there")
    idle = judge(ratio, snap(page("a", bad=0, all=0)))
    assert idle.failure is not None
    assert "all is 0" in idle.failure.message


SHARE = {"stat": "bad", "over": "all", "across": "sum", "op": "le", "value": 0.01}


@pytest.mark.parametrize("more", [{}, {"tolerance": "binomial"}])
def test_one_that_is_idle_takes_no_part_in_the_ratio_of_the_sums(more: dict[str, Any]) -> None:
    busy, idle = page("a", bad=1, all=100), page("b", bad=0, all=0)
    verdict = judge({**SHARE, **more}, snap(busy, idle))
    assert (verdict.ok, verdict.observed) == (True, 0.01)
    assert not judge({**SHARE, **more, "value": 0}, snap(busy, idle)).ok
    # What is counted where nothing is, counts.
    assert judge({**SHARE, **more}, snap(busy, page("b", bad=99, all=0))).observed == 1
    nobody = judge({**SHARE, **more}, snap(idle, page("c", bad=0, all=0)))
    assert nobody.failure == Failure("comparison", "all is 0 in all, so there is no ratio to it")
    assert not nobody.ok
    assert "at a, b: expected" in judge({**SHARE, **more, "value": 0}, snap(busy, idle)).message(1)
    for across in ("each", "max"):
        if not (more and across == "max"):
            assert "all is 0, so there is no" in judge(
                {**SHARE, **more, "across": across}, snap(idle)
            ).message(1)


def test_one_that_is_idle_takes_no_part_in_the_quantile_of_all() -> None:
    busy, idle = page("a", h=Histogram(((1, 2, 10),))), page("b", h=Histogram(()))
    asked = {"stat": "h", "quantile": 0.5, "across": "sum", "op": "le", "value": 2}
    assert judge(asked, snap(busy, idle)).ok
    then, now = (
        snap(busy, idle),
        snap(page("a", 200, h=Histogram(((1, 2, 10), (3, 4, 2)))), page("b", 200, h=Histogram(()))),
    )
    assert judge({**asked, "of": "delta"}, now, then).observed == 3.5
    for verdict in (judge(asked, snap(idle)), judge({**asked, "of": "delta"}, then, then)):
        assert verdict.failure is not None
        assert verdict.failure.message.startswith("no sample was counted")
    assert "no sample was counted" in judge({**asked, "across": "max"}, snap(busy, idle)).message(1)


def test_quantiles_of_what_came_since() -> None:
    slow, fast = (100.0, 110.0, 50), (1.0, 1.1, 10)
    then, now = snap(page("e", h=Histogram((slow,)))), snap(page("e", 200, h=Histogram((fast, slow))))
    assert not judge({"stat": "h", "quantile": 0.99, "op": "lt", "value": 50}, now).ok
    verdict = judge({"stat": "h", "quantile": 0.99, "of": "delta", "op": "lt", "value": 50}, now, then)
    assert verdict.ok
    assert verdict.as_data(0)["error"] == pytest.approx(0.1, abs=0.01)
    assert judge({"stat": "h", "bucket": 1.1, "of": "delta", "op": "eq", "value": 10}, now, then).ok
    assert judge({"match": "h", "bucket": "inf", "across": "sum", "op": "eq", "value": 60}, now).ok
    reset = judge({"stat": "h", "quantile": 0.5, "of": "delta", "op": "lt", "value": 50}, then, now)
    assert reset.failure is not None
    assert reset.failure.kind == "restarted"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"bucket": "inf", "op": "eq", "value": 50}, True),
        ({"bucket": "inf", "op": "gt", "value": 40}, True),
        ({"bucket": 5, "op": "between", "value": [41, 50], "across": "sum"}, True),
        ({"bucket": "inf", "op": "eq", "value": 39}, False),
        ({"bucket": "inf", "op": "lt", "value": 40}, False),
        ({"bucket": "inf", "op": "ne", "value": 40}, False),
        ({"quantile": 0.5, "op": "gt", "value": 50}, False),
    ],
)
def test_a_histogram_that_lacks_samples_may_not_be_flushed_yet(entry: dict[str, Any], told: bool) -> None:
    now = snap(page("e", h=Histogram(((1.0, 2.0, 40),))))
    said = "; Envoy fills histograms at its flush, every 5 s unless stats_flush_on_admin is set"
    assert (said in judge({"stat": "h", **entry}, now).message(1)) is told
    # Another program's page is as it is.
    (elsewhere,) = parse_endpoints([{"name": "e", "url": "http://e", "format": "prometheus"}])
    samples = Samples(ALL, {}, {"h": Histogram(((1.0, 2.0, 40),))})
    other = Snapshot(1.0, {"e": Page("e", "prometheus", 1.0, {"prometheus": samples})})
    verdict = evaluate(parse_assertions([{"stat": "h", **entry}])[0], [elsewhere], other)
    assert not verdict.ok
    assert said not in verdict.message(1)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"bucket": "inf", "of": "delta", "op": "eq", "value": 3}, True),
        ({"bucket": "inf", "of": "rate", "op": "lt", "value": 0.01}, True),
        ({"quantile": 0.5, "of": "delta", "op": "gt", "value": 50}, True),
        ({"bucket": "inf", "of": "delta", "op": "eq", "value": 5}, False),
        ({"bucket": "inf", "of": "delta", "op": "eq", "value": 6}, False),
        ({"bucket": "inf", "op": "eq", "value": 3}, False),
    ],
)
def test_a_histograms_difference_may_hold_what_came_before(entry: dict[str, Any], told: bool) -> None:
    then, now = (
        snap(page("e", time, h=Histogram(((1.0, 2.0, count),)))) for time, count in ((100, 40), (200, 45))
    )
    said = "; unless stats_flush_on_admin is set, Envoy fills histograms every 5 s, and samples from before since may be in it"
    verdict = judge({"stat": "h", **entry}, now, then)
    assert (said in verdict.message(1)) is told
    if verdict.final:
        assert "; a counter does not come back" in verdict.message(1)


def test_samples_of_the_last_flush_may_become_fewer() -> None:
    now = snap(page("e", h=Histogram(((1.0, 2.0, 40),))))
    now.pages["e"].sources["stats"].intervals["h"] = Histogram(((1.0, 2.0, 4),))
    asked = {"stat": "h", "bucket": "inf", "op": "eq", "value": 3}
    for across in ("each", "sum"):
        flushed = judge({**asked, "window": "interval", "across": across}, now)
        assert (flushed.observed, flushed.final) == (4, False)
        assert judge({**asked, "across": across}, now).final


def test_a_quantile_of_a_fleet_is_of_all_samples() -> None:
    now = snap(page("a", h=Histogram(((0, 1, 99),))), page("b", h=Histogram(((10, 11, 1),))))
    assert (
        judge({"stat": "h", "quantile": 0.5, "across": "max", "op": "lt", "value": 2}, now).observed == 10.5
    )
    assert judge({"stat": "h", "quantile": 0.5, "across": "sum", "op": "lt", "value": 2}, now).ok


def test_labels() -> None:
    one = page("e")
    one.sources["prometheus"] = Samples(
        ALL, {'m{a="1",b="2"}': 3, 'm{a="1",b="3"}': 4, 'm{a="2"}': 9, "mm": 1}
    )
    assert judge({"stat": "m", "labels": {"a": "1"}, "across": "sum", "op": "eq", "value": 7}, snap(one)).ok
    assert judge({"stat": "m", "labels": {"a": "1", "b": "3"}, "op": "eq", "value": 4}, snap(one)).ok
    assert not judge({"stat": "m", "labels": {"a": "3"}, "op": "ge", "value": 0}, snap(one)).ok


REQUESTS = {
    'rq_xx{cluster="a",code="2"}': 90,
    'rq_xx{cluster="a",code="5"}': 10,
    'rq_xx{cluster="b",code="5"}': 50,
    'rq_done{cluster="a"}': 100,
    'rq_done{cluster="b"}': 50,
    'other_xx{code="5"}': 1,
}


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ({"labels": {"code": "5"}, "across": "sum"}, 61),
        ({"labels": {"code": "5"}, "across": "count"}, 3),
        ({"labels": {"code": "4"}, "across": "sum"}, 0),
        ({"match": "rq_.*", "labels": {"cluster": "a"}, "across": "sum"}, 200),
        # The share of a cluster's answers: what counts all of them has no code.
        ({"stat": "rq_xx", "labels": {"cluster": "a", "code": "5"}, "over": "rq_done"}, 0.1),
        ({"stat": "rq_xx", "labels": {"code": "5"}, "over": "rq_done"}, 0.4),
        ({"stat": "rq_xx", "labels": {"code": "5"}, "over": "rq_xx", "over_labels": {}}, 0.4),
        ({"stat": "rq_xx", "labels": {"code": "5"}, "over": "rq_xx", "over_labels": {"cluster": "a"}}, 0.6),
        ({"match": ".*_xx", "labels": {"code": "5"}, "over_match": ".*_xx", "over_labels": {}}, 61 / 151),
        ({"labels": {"code": "5"}, "over_match": "rq_done", "across": "sum"}, 61 / 150),
    ],
)
def test_labels_alone_with_a_pattern_and_in_ratios(asked: dict[str, Any], value: float) -> None:
    one = page("e")
    one.sources["prometheus"] = Samples(ALL, dict(REQUESTS))
    verdict = judge({**asked, "op": "eq", "value": value}, snap(one))
    assert verdict.ok, verdict.message(0)


def test_a_ratio_to_all_that_matches() -> None:
    now = snap(page("e", **{"c.a.bad": 1, "c.a.all": 10, "c.b.all": 30}))
    ratio = {"match": r"c\..*\.bad", "over_match": r"c\..*\.all", "op": "eq", "value": 0.025}
    assert judge(ratio, now).ok
    assert "match c\\..*\\.bad / match c\\..*\\.all at e" in judge({**ratio, "op": "gt"}, now).message(0)
    lacking = judge({**ratio, "over_match": "nothing"}, now).failure
    assert lacking == Failure("absent", "nothing is there for match nothing")
    missing = judge({"stat": "c.a.bad", "over": "c.a.al", "op": "eq", "value": 1}, now).failure
    assert missing == Failure("absent", "c.a.al is not there")


@pytest.mark.parametrize(
    ("asked", "looked"),
    [
        ({"match": "rq_.*", "over_match": "rq_done"}, True),
        ({"match": "rq_.*", "over": "rq_done"}, True),
        ({"match": "rq_.*", "over_match": "other.*"}, False),
        ({"labels": {"cluster": "a"}}, False),
    ],
)
def test_hosts_have_to_have_looked_for_all_of_it(asked: dict[str, Any], looked: bool) -> None:
    patterns = tuple(compile_pattern(one, "match") for one in ("rq_.*", "rq_done"))
    samples = Samples(Selection(patterns=patterns), dict(REQUESTS))
    one = Page("app", "prometheus", 100.0, {"prometheus": samples})
    hosts = read_hosts({"web": snap(one).as_data()})
    assertions = parse_assertions([{**asked, "across": "sum", "op": "gt", "value": 0}])
    if looked:
        assert judge_hosts(assertions, hosts).ok
        return
    with pytest.raises(SpecError, match="was not taken of"):
        judge_hosts(assertions, hosts)


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        ("web1/*", ["unreachable"]),
        ("web1/edge", ["unreachable"]),
        ("web1", ["unreachable"]),
        ("w*1/*", ["unreachable"]),
        ("*/edge", ["unreachable"]),
        ("*edge", ["unreachable"]),
        ("web*", ["unreachable"]),
        ("web2/*", [""]),
        ("web2/edge", [""]),
        ("web?0/*", None),
        ("web10/edge", None),
    ],
)
@pytest.mark.parametrize("of", ["value", "delta"])
def test_a_host_without_a_snapshot_is_all_that_it_may_have(
    pattern: str, kinds: list[str] | None, of: str
) -> None:
    edge = snap(page("edge", x=3)).as_data()
    now, since = (
        read_hosts({"web1": {"failed": True}, "web2": edge}),
        read_hosts({"web1": edge, "web2": edge}),
    )
    asked = parse_assertions([{"endpoint": pattern, "stat": "x", "of": of, "op": "ge", "value": 0}])
    if kinds is None:
        with pytest.raises(SpecError, match="no endpoint is named"):
            judge_hosts(asked, now, since)
        return
    outcome = judge_hosts(asked, now, since)
    assert [one.as_data(0)["failure"] for one in outcome.verdicts] == kinds
    if kinds != [""]:
        assert "x at web1: expected" in outcome.message
        assert "its task failed" in outcome.message


def test_other_labels_are_named() -> None:
    one = page("e")
    one.sources["prometheus"] = Samples(ALL, dict(REQUESTS))
    asked = {"stat": "rq_done", "labels": {"cluster": "c"}, "op": "eq", "value": 1}
    verdict = judge(asked, snap(one))
    explain_from(verdict, one, "prometheus")
    assert verdict.hint == '; its labels are others: there is rq_done{cluster="a"} and 1 more'
    # Of these labels it is there, and no histogram.
    verdict = judge({**asked, "labels": {"cluster": "a"}, "bucket": 5}, snap(one))
    explain_from(verdict, one, "prometheus")
    assert "it is no histogram" in verdict.hint


def test_a_pod_that_goes_while_an_absence_is_explained() -> None:
    seen = snap(page("gone", y=1))
    verdict = judge({"stat": "x", "op": "eq", "value": 1}, seen)
    assert verdict.failure is not None
    assert verdict.failure.kind == "absent"
    asyncio.run(explain_absence(EndpointPool(ends("other")), [verdict], seen, 0))
    assert verdict.hint == ""


@pytest.mark.parametrize("across", ["each", "sum", "max", "count"])
def test_a_stat_that_is_gone_is_missing_in_a_difference(across: str) -> None:
    then, now = snap(page("e", a=1, b=5, text="x", zero=0)), snap(page("e", 200, a=3))
    asked = {"match": ".*", "of": "delta", "across": across, "op": "ge", "value": 0}
    verdict = judge(asked, now, then)
    assert verdict.failure is not None
    assert (verdict.failure.kind, [one.stat for one in verdict.wrong]) == ("restarted", ["b", "zero"])
    assert "cannot be told" in verdict.message(1)
    # What was never used was 0, and usedonly does not show it.
    now.pages["e"].sources["stats"].selection = Selection(everything=True, usedonly=True)
    assert [one.stat for one in judge(asked, now, then).wrong] == ["b"]
    then.pages["e"].sources["stats"].values["b"] = 0
    assert judge(asked, now, then).ok
    assert judge({**asked, "across": "any"}, snap(page("e", 200, a=3)), then).ok


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
def test_a_snapshot_without_histograms_is_no_empty_one(asked: dict[str, Any]) -> None:
    then, now = snap(page("e", x=1)), snap(page("e", 200, x=3, h=Histogram(((0, 1, 6),))))
    before = parse_stats(b'{"stats":[{"name":"x","value":1}]}', ALL, histograms=False)
    then.pages["e"].sources["stats"] = before
    for earlier in (then, read_snapshot(json.loads(json.dumps(then.as_data())))):
        verdict = judge(asked, now, earlier)
        assert verdict.failure is not None
        assert verdict.failure.kind == "absent"
        assert "the earlier snapshot was taken without histograms" in verdict.failure.message
        assert judge({"stat": "x", "of": "delta", "op": "eq", "value": 2}, now, earlier).ok


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"stat": "h", "op": "absent"}, False),
        ({"stat": "h", "op": "present"}, False),
        ({"match": "h.*", "op": "absent"}, False),
        ({"stat": "h", "bucket": "inf", "op": "ge", "value": 0}, False),
        ({"match": "x", "bucket": "inf", "across": "sum", "op": "eq", "value": 0}, False),
        ({"stat": "x", "op": "present"}, True),
        ({"match": "x.*", "op": "present"}, True),
        ({"stat": "h", "default": 0, "op": "eq", "value": 0}, True),
    ],
)
def test_hosts_have_to_have_looked_for_histograms(asked: dict[str, Any], told: bool) -> None:
    one = page("edge")
    one.sources["stats"] = parse_stats(b'{"stats":[{"name":"x","value":1}]}', ALL, histograms=False)
    hosts = read_hosts({"web": snap(one).as_data()})
    if told:
        assert judge_hosts(parse_assertions([asked]), hosts).ok
        return
    with pytest.raises(SpecError, match=r"was not taken of .* with histograms"):
        judge_hosts(parse_assertions([asked]), hosts)


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
        # What is gone cannot be told, as of a counter.
        ({"h": Histogram(((0, 1, 5),))}, {"of": "delta"}, None),
    ],
)
def test_what_an_absent_histogram_counts_as(
    then: dict[str, Any], asked: dict[str, Any], observed: float | None
) -> None:
    verdict = judge({**NO_SAMPLES, **asked}, snap(page("e", 200, x=1)), snap(page("e", x=1, **then)))
    assert (verdict.ok, verdict.observed) == (observed is not None, observed)
    # It is about what is not there, and not about what is no histogram.
    no_histogram = judge(
        {**NO_SAMPLES, **asked, "stat": "x"}, snap(page("e", 200, x=1)), snap(page("e", x=1))
    )
    assert no_histogram.failure == Failure("absent", "it is no histogram")


def test_a_histogram_that_is_gone_is_missing_in_a_difference() -> None:
    then = snap(page("e", a=Histogram(((0, 1, 5),)), b=Histogram(((0, 1, 5),))))
    now = snap(page("e", 200, a=Histogram(((0, 1, 6),))))
    asked = {"match": ".", "bucket": "inf", "of": "delta", "across": "sum", "op": "eq", "value": 1}
    verdict = judge(asked, now, then)
    assert verdict.failure is not None
    assert (verdict.failure.kind, verdict.wrong[0].stat) == ("restarted", "b")


@pytest.mark.parametrize("gone", ["bad.b", "all.b"])
def test_a_ratio_misses_what_is_gone(gone: str) -> None:
    there = {"bad.a": 1, "bad.b": 2, "all.a": 10, "all.b": 10}
    then = snap(page("e", **there))
    later = {name: value + 5 for name, value in there.items() if name != gone}
    ratio = {"match": "bad.*", "over_match": "all.*", "of": "delta", "op": "ge", "value": 0}
    verdict = judge(ratio, snap(page("e", 200, **later)), then)
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"


def test_the_sum_of_nothing_is_no_0_across_a_restart() -> None:
    then, now = snap(page("e", 100, started=50, x=5)), snap(page("e", 200, started=150))
    verdict = judge({"match": "x.*", "of": "delta", "across": "sum", "op": "eq", "value": 0}, now, then)
    assert verdict.failure is not None
    assert verdict.failure.kind == "restarted"


def test_the_result_has_one_shape() -> None:
    good = judge({"stat": "x", "op": "ge", "value": 1, "name": "why"}, FLEET).as_data(1)
    bad = judge({"stat": "x", "op": "ge", "value": 99, "name": "why"}, FLEET).as_data(1)
    assert good.keys() == bad.keys()
    assert bad["message"] == "why: x at a: expected ge 99, saw 10 after 1.0 s (2 more like this)"
    assert json.loads(json.dumps(bad)) == bad


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
def test_a_snapshot_that_is_none(data: Any) -> None:
    with pytest.raises(SpecError, match="since"):
        read_snapshot(data)


@pytest.mark.parametrize(
    ("stat", "words"),
    [
        ("cluster.web.upstream_rq_totl", "near it is cluster.web.upstream_rq_total"),
        ("cluster.wob.upstream_rq_total", "near it is cluster.web.upstream_rq_total"),
        ("cluster.web.upstream_rq_5xx", "default: 0"),
        ("http.ingress.rq", "nothing begins with http; is it named so, or does a stats matcher hide it?"),
        ("cluster.other-name-altogether.cx", "nothing begins with cluster.other-name-altogether; "),
        ("cluster.web.grpc.shop.Shop.Get.failure", "nothing begins with cluster.web.grpc; "),
        ("cluster.web.time", "it is a histogram"),
    ],
)
def test_nearest_names(stat: str, words: str) -> None:
    assert words in hint(
        stat, ["cluster.web.upstream_rq_total", "cluster.web.upstream_cx_total"], ["cluster.web.time"]
    )
    assert "no stats at all" in hint(stat, [])
    # A matcher hides stats, and nothing else.
    assert "matcher" not in hint(stat, ["cluster.web.upstream_rq_total"], source="clusters")


@pytest.mark.parametrize(
    ("entry", "ok", "observed"),
    [
        ({"across": "sum", "op": "eq", "value": 3_002}, True, 3_002),
        ({"across": "count", "op": "eq", "value": 3_000}, True, 3_000),
        ({"across": "max", "op": "lt", "value": 3}, False, 3),
        ({"op": "eq", "value": 1}, False, 3),
    ],
)
def test_of_more_readings_than_are_kept_all_count(entry: dict[str, Any], ok: bool, observed: int) -> None:
    ones = {f"x{number}": 1 for number in range(1_500)}
    verdict = judge({"match": "x.*", **entry}, snap(page("a", **ones), page("b", **{**ones, "x1499": 3})))
    assert (verdict.ok, verdict.observed) == (ok, observed)
    assert len(verdict.readings) <= 1_001


def test_a_text_among_more_readings_than_are_kept_is_noticed() -> None:
    ones = {f"x{number}": 1 for number in range(1_500)}
    verdict = judge(
        {"match": "x.*", "across": "sum", "op": "eq", "value": 3_000},
        snap(page("a", **ones), page("b", **ones, xt="text")),
    )
    assert verdict.failure is not None
    assert "'text' is text, which has no sum" in verdict.failure.message


CANARY = {"stat": "v2", "over": "all", "op": "eq", "value": 0.1, "tolerance": "binomial"}


@pytest.mark.parametrize(
    ("change", "seen", "words"),
    [
        ({}, (37, 200), ": eq 10 %: 3 to 43 of 200, as expected (saw 37)"),
        ({}, (50, 200), ": expected 10 %: 3 to 43 of 200, saw 50 of 200 (25 %) after 0.5 s"),
        ({}, (2, 200), "saw 2 of 200 (1 %)"),
        ({"tolerance": {"binomial": 1e-12}}, (50, 200), "10 %: 0 to 56 of 200, as expected (saw 50)"),
        ({"op": "ge"}, (200, 200), "at least 10 %: 3 to 200 of 200, as expected (saw 200)"),
        ({"op": "le"}, (50, 200), "expected at most 10 %: 0 to 43 of 200, saw 50 of 200"),
        ({"op": "between", "value": [0.1, 0.5]}, (135, 200), "10 % to 50 %: 3 to 134 of 200, saw 135"),
        ({"value": 0}, (1, 200), "expected 0 %: 0 to 0 of 200, saw 1 of 200 (0.5 %)"),
        ({"value": 1}, (200, 200), "100 %: 200 to 200 of 200, as expected (saw 200)"),
        ({}, (300, 200), "saw 300 of 200 (150 %)"),
        ({}, (0, 0), "expected eq 0.1 ± chance, but all is 0, so there is no ratio to it"),
        ({}, (1, 2.5), "but of all, 2.5 is no number of which chance could pick some"),
    ],
)
def test_a_share_that_is_left_to_chance(
    change: dict[str, Any], seen: tuple[float, float], words: str
) -> None:
    verdict = judge({**CANARY, **change}, snap(page("edge", v2=seen[0], all=seen[1])))
    written = {**CANARY, **change}
    if not isinstance(written["value"], list):  # a template makes it text
        written["value"] = str(written["value"])
    as_text = judge(written, snap(page("edge", v2=seen[0], all=seen[1])))
    assert as_text.message(0.5) == verdict.message(0.5)
    assert words.removeprefix(": eq ") in verdict.message(0.5)
    assert verdict.ok is ("as expected" in words)
    json.dumps(verdict.as_data(0.5))


def test_chance_across_endpoints() -> None:
    # Each of them is as improbable as none of 40 are, all together are what was to be expected.
    fleet = snap(
        *(page(name, v2=count, all=100) for name, count in (("a", 40), ("b", 0), ("c", 0), ("d", 0)))
    )
    assert judge({**CANARY, "across": "sum"}, fleet).message(1.0).endswith("of 400, as expected (saw 40)")
    wrong = judge(CANARY, fleet)
    assert (wrong.ok, wrong.observed) == (False, 0.4)
    assert "at a: expected 10 %: 0 to 27 of 100, saw 40 of 100 (40 %) after 1.0 s" in wrong.message(1.0)
    huge = snap(page("a", v2=1, all=10**12), page("b", v2=1, all=10**12))
    assert "of all in all, 2e+12 is no number" in judge({**CANARY, "across": "sum"}, huge).message(1.0)


def test_chance_since_then() -> None:
    then, now = snap(page("edge", v2=1000, all=1000)), snap(page("edge", v2=1020, all=1200))
    since = {**CANARY, "of": "delta"}
    assert "delta 10 %: 3 to 43 of 200, as expected (saw 20)" in judge(since, now, then).message(0.5)
    assert judge(CANARY, now, then).ok is False
