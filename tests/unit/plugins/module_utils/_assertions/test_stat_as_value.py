# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assertions whose value is what another stat reads at the same look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import watch
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
    read_hosts,
    required_queries,
)

OTHER = {"endpoint": "web", "stat": "seen"}
ENDPOINTS = [Endpoint("edge", "http", "edge"), Endpoint("web", "http", "web")]


def snap(time: float = 1.0, **pages: dict[str, Any]) -> Snapshot:
    samples = {name: Samples(Selection(everything=True), values) for name, values in pages.items()}
    who = Identity("1.40.0", "LIVE", time, 0.0, 0)
    return Snapshot(
        time, {name: Page(name, "envoy", time, {"stats": one}, who) for name, one in samples.items()}
    )


def judge(now: Snapshot, since: Snapshot | None = None, **changes: Any) -> Verdict:
    entry = {"endpoint": "edge", "stat": "sent", "op": "eq", "value": OTHER, **changes}
    return evaluate(parse_assertions([entry])[0], ENDPOINTS, now, since)


def test_a_value_is_what_another_stat_reads() -> None:
    held = judge(snap(edge={"sent": 7}, web={"seen": 7}))
    assert held.ok
    assert held.message(1.0) == "sent at edge: eq 7 (seen at web), as expected (saw 7)"
    assert held.as_data(1.0)["expected"] == 7
    missed = judge(snap(edge={"sent": 7}, web={"seen": 9}))
    assert missed.message(1.0) == "sent at edge: expected eq 9 (seen at web), saw 7 after 1.0 s"
    assert judge(snap(edge={"sent": 7}, web={"seen": 9}), op="lt").ok
    assert judge(snap(edge={"sent": 7}, web={"seen": 8}), tolerance=1).ok


def test_a_value_may_be_a_difference_a_sum_or_a_text() -> None:
    then, now = snap(1.0, edge={"sent": 5}, web={"seen": 100}), snap(2.0, edge={"sent": 7}, web={"seen": 102})
    held = judge(now, then, of="delta", value={**OTHER, "of": "delta"})
    assert held.message(1.0) == "sent at edge: delta eq 2 (delta of seen at web), as expected (saw 2)"
    several = snap(edge={"sent": 7}, web={"seen.1": 3, "seen.2": 4})
    assert judge(several, value={"endpoint": "web", "match": r"seen\..", "across": "sum"}).ok
    assert judge(snap(edge={"sent": "x"}, web={"seen": "x"})).ok


def test_what_is_too_much_now_may_not_be_at_the_next_look() -> None:
    now = snap(edge={"sent": 7}, web={"seen": 5})
    now.pages["edge"].sources["stats"].kinds["sent"] = "counter"
    assert judge(now, value=5).final
    assert not judge(now).final


@pytest.mark.parametrize(
    ("web", "value", "words"),
    [
        ({}, OTHER, "but seen at web cannot be told: it is not there, after"),
        ({"a": 1, "b": 2}, {"endpoint": "web", "match": "."}, "it is several numbers: say by across"),
    ],
)
def test_a_value_that_cannot_be_read_is_told(web: dict[str, Any], value: Any, words: str) -> None:
    verdict = judge(snap(edge={"sent": 7}, web=web), value=value)
    assert not verdict.ok
    assert words in verdict.message(1.0)
    assert json.dumps(verdict.as_data(1.0)["expected"])


def test_what_a_value_is_read_from_is_asked_for() -> None:
    parsed = parse_assertions(
        [{"endpoint": "edge", "stat": "sent", "op": "eq", "value": {**OTHER, "bucket": 5}}]
    )
    wanted = required_queries(parsed, ENDPOINTS)
    assert wanted["web"].histograms
    assert "seen" in wanted["web"].sources["stats"].names
    assert "seen" not in wanted["edge"].sources["stats"].names


def test_several_hosts_are_compared() -> None:
    hosts = {
        name: snap(**{name: values}).as_data()
        for name, values in (("edge", {"sent": 7}), ("web", {"seen": 7}))
    }
    entry = {"endpoint": "edge/*", "stat": "sent", "op": "eq", "value": {"endpoint": "web/*", "stat": "seen"}}
    assert judge_hosts(parse_assertions([entry]), read_hosts(hosts)).ok
    entry["value"] = {"endpoint": "web/*", "stat": "lost"}
    outcome = judge_hosts(parse_assertions([entry]), read_hosts(hosts))
    assert "lost at web/* cannot be told" in outcome.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"op": "between"}, "goes with eq, ne, lt, le, gt, ge, not with between"),
        ({"value": {"endpoint": "web"}}, r"assertions\[0\].value needs either stat"),
        ({"value": {**OTHER, "value": 5}}, "'value' is no key of it"),
        ({"over": "all", "tolerance": "binomial"}, "needs a probability as value"),
    ],
)
def test_what_cannot_be_meant(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_assertions([{"stat": "sent", "op": "eq", "value": OTHER, **change}])


def test_a_difference_needs_an_earlier_snapshot() -> None:
    parsed = parse_assertions([{"stat": "sent", "op": "eq", "value": {**OTHER, "of": "delta"}}])
    with pytest.raises(SpecError, match="is about a delta; give since"):
        watch(ENDPOINTS, parsed)
    with pytest.raises(SpecError, match="is about a delta; give since"):
        judge_hosts(parsed, snap(edge={"sent": 7}, web={"seen": 7}))
