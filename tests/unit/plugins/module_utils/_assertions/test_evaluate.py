# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether assertions hold for a snapshot."""

from __future__ import annotations

import json

import pytest
from fake_snapshots import FLEET, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import warnings_of
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    read_snapshot,
)


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
def test_across_reduces_endpoints_to_one_number(
    across: str, op: str, value: float, ok: bool, observed: float
) -> None:
    verdict = verdict_of({"stat": "x", "across": across, "op": op, "value": value}, FLEET)
    assert (verdict.ok, verdict.observed) == (ok, observed)
    assert (verdict.failure is None) is ok


def test_stat_absent_at_one_endpoint_fails() -> None:
    for across in ("each", "sum", "min", "spread"):
        verdict = verdict_of({"stat": "y", "across": across, "op": "ge", "value": 0}, FLEET)
        assert verdict.failure is not None
        assert (verdict.failure.kind, verdict.failed[0].endpoint) == ("absent", "c")
    assert verdict_of({"stat": "y", "across": "sum", "default": 0, "op": "eq", "value": 1}, FLEET).ok
    assert verdict_of({"stat": "y", "across": "any", "op": "eq", "value": 1}, FLEET).ok


def test_sum_and_count_of_no_match_are_0() -> None:
    assert verdict_of({"match": "z.*", "across": "sum", "op": "eq", "value": 0}, FLEET).ok
    assert verdict_of({"match": "z.*", "across": "count", "op": "eq", "value": 0}, FLEET).ok
    for across in ("each", "any", "max", "avg"):
        verdict = verdict_of({"match": "z.*", "across": across, "op": "eq", "value": 0}, FLEET)
        assert verdict.failure is not None
        assert verdict.failure.kind == "absent"


def test_presence_and_absence() -> None:
    assert verdict_of({"stat": "x", "op": "present"}, FLEET).ok
    assert verdict_of({"stat": "z", "op": "absent"}, FLEET).ok
    assert verdict_of({"match": "z.*", "op": "absent"}, FLEET).ok
    assert not verdict_of({"stat": "y", "op": "present"}, FLEET).ok
    assert verdict_of({"stat": "y", "op": "present", "across": "any"}, FLEET).ok
    assert verdict_of({"stat": "y", "op": "absent", "across": "any"}, FLEET).ok
    assert verdict_of({"match": "[yz]", "op": "absent", "across": "any"}, FLEET).ok
    everywhere = verdict_of({"stat": "x", "op": "absent", "across": "any"}, FLEET)
    assert (
        everywhere.message(1)
        == "expected absent, got present (any of x at a, b, c) after 1.0 s: it exists with value 10"
    )
    verdict = verdict_of({"stat": "y", "op": "absent"}, FLEET)
    assert (
        verdict.message(1)
        == "expected absent, got present (y at a) after 1.0 s: it exists with value 1. 1 more reading fails."
    )


def test_unreachable_endpoint_is_not_absent_or_0() -> None:
    broken = Page("b", "envoy", 1.0, failure=Failure("unreachable", "http://b: connection refused"))
    now = fake_snapshot(fake_page("a", x=1), broken)
    for entry in (
        {"op": "absent", "stat": "z"},
        {"op": "eq", "value": 0, "match": "z", "across": "sum"},
        {"op": "eq", "value": 1, "stat": "x"},
    ):
        verdict = verdict_of(entry, now)
        assert verdict.failure is not None
        assert verdict.failure.kind == "unreachable"
    message = verdict_of({"stat": "x", "op": "eq", "value": 1}, now).message(5)
    assert message == "expected 1, got no value (x at b) after 5.0 s: http://b: connection refused"


def test_delta_and_rate_since_a_snapshot() -> None:
    before, now = (
        fake_snapshot(fake_page("edge", 100, x=1)),
        fake_snapshot(fake_page("edge", 105, x=20, new=3)),
    )
    verdict = verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": 20}, now, before)
    assert verdict.message(5.0) == "expected 20, got 19 (delta of x at edge) after 5.0 s"
    assert verdict_of({"stat": "x", "of": "rate", "op": "eq", "value": 3.8}, now, before).ok
    assert verdict_of(
        {"stat": "new", "of": "delta", "op": "eq", "value": 3}, now, before
    ).ok  # Envoy makes counters when they first count
    again = read_snapshot(json.loads(json.dumps(before.as_data())))
    assert verdict_of({"stat": "x", "of": "delta", "op": "eq", "value": 19}, now, again).ok


UNKNOWN_IDENTITY = Identity()


SOON = "the process started shortly before or after the earlier snapshot"


@pytest.mark.parametrize(
    ("then", "now", "reason"),
    [
        (
            UNKNOWN_IDENTITY,
            fake_page("e", 200).identity,
            "the earlier snapshot does not contain when the process started",
        ),
        (
            fake_page("e", 100).identity,
            UNKNOWN_IDENTITY,
            "the endpoint does not show when its process started",
        ),
        (fake_page("e", 100).identity, None, "the endpoint does not show when its process started"),
        # An uptime that is as old as Envoy's last flush: it may have been there, and may have come since.
        (Identity(uptime=0, started=100, slack=6), Identity(uptime=0, started=103, slack=6), SOON),
        (Identity(uptime=9, started=91, slack=6), Identity(uptime=9, started=94, slack=6), ""),
        (Identity(uptime=0, started=100, slack=1), Identity(uptime=0, started=100.1, slack=1), SOON),
        (fake_page("e", 100.9, started=99.9).identity, fake_page("e", 109, started=100.8).identity, ""),
        (Identity(uptime=0, started=100, loaded="a"), Identity(uptime=3, started=100.1, loaded="a"), ""),
        (Identity(uptime=0, started=100, loaded="a"), Identity(uptime=3, started=100.1), SOON),
    ],
)
def test_possible_restart_is_a_remark(then: Identity | None, now: Identity | None, reason: str) -> None:
    earlier, later = fake_page("e", 100, x=5), fake_page("e", 200, x=9)
    earlier.identity, later.identity = then, now
    verdict = verdict_of(
        {"stat": "x", "of": "delta", "op": "eq", "value": 4}, fake_snapshot(later), fake_snapshot(earlier)
    )
    assert verdict.ok
    remark = f". A restart of e between the snapshots cannot be excluded, because {reason}."
    assert (remark in verdict.message(1)) is bool(reason)
    # A remark that the user can act on is a warning.
    assert bool(warnings_of([verdict, verdict])) is (reason not in ("", SOON))
    assert "restart" not in verdict_of(
        {"stat": "x", "op": "eq", "value": 9}, fake_snapshot(later), fake_snapshot(earlier)
    ).message(1)


def test_counter_past_its_value_is_final() -> None:
    now = fake_snapshot(fake_page("e", x=21))
    assert not verdict_of({"stat": "x", "op": "eq", "value": 20}, now).is_final  # it might be a gauge
    now.pages["e"].sources["stats"].kinds["x"] = "counter"
    assert verdict_of({"stat": "x", "op": "eq", "value": 20}, now).is_final
    assert verdict_of({"stat": "x", "op": "lt", "value": 20, "across": "sum"}, now).is_final
    assert not verdict_of({"stat": "x", "op": "eq", "value": 22}, now).is_final
    assert not verdict_of({"stat": "x", "op": "eq", "value": 20, "across": "min"}, now).is_final
