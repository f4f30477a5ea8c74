# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assertions whose value is read from another stat."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_snapshots import fake_endpoints, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.multi_host import (
    evaluate_hosts,
    read_hosts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import required_queries
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import wait_for
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot

OTHER = {"endpoint": "web", "stat": "received"}


def pages(time: float = 1.0, **values: dict[str, Any]) -> Snapshot:
    """Return a snapshot with these stats of each endpoint."""
    return fake_snapshot(*(fake_page(name, time, **stats) for name, stats in values.items()))


def compared(now: Snapshot, since: Snapshot | None = None, **changes: Any) -> Verdict:
    """Return the verdict of an assertion that compares `sent` of edge with `received` of web."""
    return verdict_of({"endpoint": "edge", "stat": "sent", "op": "eq", "value": OTHER, **changes}, now, since)


def test_value_can_be_another_stat() -> None:
    holding = compared(pages(edge={"sent": 7}, web={"received": 7}))
    assert holding.ok
    assert holding.message(1.0) == "expected 7 (received at web), got 7 (sent at edge)"
    assert holding.as_data(1.0)["expected"] == 7
    failing = compared(pages(edge={"sent": 7}, web={"received": 9}))
    assert failing.message(1.0) == "expected 9 (received at web), got 7 (sent at edge) after 1.0 s"
    assert compared(pages(edge={"sent": 7}, web={"received": 9}), op="lt").ok
    assert compared(pages(edge={"sent": 7}, web={"received": 8}), tolerance=1).ok


def test_value_can_be_a_delta_a_sum_or_text() -> None:
    then, now = (
        pages(1.0, edge={"sent": 5}, web={"received": 100}),
        pages(2.0, edge={"sent": 7}, web={"received": 102}),
    )
    holding = compared(now, then, of="delta", value={**OTHER, "of": "delta"})
    assert holding.message(1.0) == "expected 2 (delta of received at web), got 2 (delta of sent at edge)"
    several = pages(edge={"sent": 7}, web={"received.1": 3, "received.2": 4})
    assert compared(several, value={"endpoint": "web", "match": r"received\..", "across": "sum"}).ok
    assert compared(pages(edge={"sent": "x"}, web={"received": "x"})).ok


def test_value_of_another_stat_is_never_final() -> None:
    now = pages(edge={"sent": 7}, web={"received": 5})
    now.pages["edge"].sources["stats"].kinds["sent"] = "counter"
    assert compared(now, value=5).is_final
    assert not compared(now).is_final


@pytest.mark.parametrize(
    ("web", "value", "error"),
    [
        (
            {},
            OTHER,
            "expected received at web, got no value (sent at edge) after 1.0 s: the value of received at web is unknown: it does not exist",
        ),
        (
            {"a": 1, "b": 2},
            {"endpoint": "web", "match": "."},
            "it has several values; set across to select one of them",
        ),
    ],
)
def test_value_that_cannot_be_read_fails(web: dict[str, Any], value: Any, error: str) -> None:
    verdict = compared(pages(edge={"sent": 7}, web=web), value=value)
    assert not verdict.ok
    assert error in verdict.message(1.0)
    assert json.dumps(verdict.as_data(1.0)["expected"])


def test_value_stat_is_part_of_the_query() -> None:
    parsed = parse_assertions(
        [{"endpoint": "edge", "stat": "sent", "op": "eq", "value": {**OTHER, "bucket": 5}}]
    )
    wanted = required_queries(parsed, fake_endpoints("edge", "web"))
    assert wanted["web"].histograms
    assert "received" in wanted["web"].sources["stats"].names
    assert "received" not in wanted["edge"].sources["stats"].names


def test_values_of_hosts_are_compared() -> None:
    hosts = {
        name: pages(**{name: values}).as_data()
        for name, values in (("edge", {"sent": 7}), ("web", {"received": 7}))
    }
    entry = {
        "endpoint": "edge/*",
        "stat": "sent",
        "op": "eq",
        "value": {"endpoint": "web/*", "stat": "received"},
    }
    assert evaluate_hosts(parse_assertions([entry]), read_hosts(hosts)).ok
    entry["value"] = {"endpoint": "web/*", "stat": "lost"}
    outcome = evaluate_hosts(parse_assertions([entry]), read_hosts(hosts))
    assert "the value of lost at web/* is unknown: it does not exist" in outcome.message


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"op": "between"},
            "op between cannot compare with the value of a stat. Use one of: eq, ne, lt, le, gt, ge.",
        ),
        ({"value": {"endpoint": "web"}}, r"assertions\[0\]\.value: no stat is selected"),
        ({"value": {**OTHER, "value": 5}}, "unknown key .value.\\. Use one of: across"),
        ({"over": "all", "tolerance": "binomial"}, "needs a probability as value"),
    ],
)
def test_value_stat_refuses_other_keys(change: dict[str, Any], error: str) -> None:
    with pytest.raises(ArgumentError, match=error):
        parse_assertions([{"stat": "sent", "op": "eq", "value": OTHER, **change}])


def test_delta_needs_an_earlier_snapshot() -> None:
    parsed = parse_assertions([{"stat": "sent", "op": "eq", "value": {**OTHER, "of": "delta"}}])
    with pytest.raises(ArgumentError, match="of: delta needs an earlier snapshot"):
        wait_for(fake_endpoints("edge", "web"), parsed)
    with pytest.raises(ArgumentError, match="of: delta needs an earlier snapshot"):
        evaluate_hosts(parsed, pages(edge={"sent": 7}, web={"received": 7}))
