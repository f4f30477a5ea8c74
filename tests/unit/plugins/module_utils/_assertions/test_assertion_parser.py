# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assertions from plain data, and the errors for those that cannot be evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    check_not_empty,
    check_since,
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

ONE = {"stat": "a.b", "op": "eq", "value": 1}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"stat": None}, ": no stat is selected. Set one of stat, match, promql, labels"),
        ({"match": "a"}, ": stat, match and promql exclude each other. Set only one of them."),
        ({"stat": None, "labels": {}}, ": no stat is selected."),
        ({"stat": None, "promql": "up", "source": "ready"}, ".source: it cannot be combined with promql."),
        ({"op": None}, ".op: a value is missing. Use one of: eq, ne, lt"),
        ({"op": "equals"}, ".op: unknown value 'equals'."),
        ({"value": None}, ".value: a value is missing. Set what op eq compares with."),
        ({"value": [1]}, ".value: expected a number or text, got [1]."),
        ({"value": True}, ".value: expected a number or text, got true."),
        ({"op": "lt", "value": "x"}, ".value: expected a number, got 'x'."),
        (
            {"op": "between", "value": [2, 1]},
            ".value: expected two numbers for op between, the lowest and the highest",
        ),
        ({"op": "between", "value": 2}, ".value: expected a list for op between, got 2."),
        ({"op": "absent"}, ".value: op absent has no value. Remove it."),
        ({"op": "absent", "value": None, "of": "delta"}, ": op absent is about the existence of a stat."),
        ({"op": "present", "value": None, "default": 0}, ".default: op present has no default. Remove it."),
        ({"op": "matches", "value": "(?=a)"}, "RE2"),
        (
            {"op": "matches", "value": "a", "across": "sum"},
            ".across: op matches is for text, which has no sum.",
        ),
        ({"quantile": 99}, ".quantile: expected a share from 0 to 1, got 99. Write 0.99 for p99."),
        ({"quantile": -1}, ".quantile: expected a number from 0 to 1, got -1."),
        ({"quantile": 0.5, "bucket": 1}, ": quantile and bucket exclude each other."),
        ({"quantile": 0.5, "of": "rate"}, ".of: a quantile has no rate. Use delta"),
        ({"quantile": 0.5, "default": 0}, ".default: a histogram without samples has no quantile."),
        ({"window": "interval"}, ".window: interval is for quantile or bucket with of: value"),
        ({"source": "clusters", "of": "delta"}, "They are for stats, and source is clusters."),
        (
            {"stat": None, "promql": "up", "of": "rate"},
            "Write it in the query itself, for example increase(…[1m]).",
        ),
        (
            {"over": "c", "across": "count"},
            ".over: a ratio cannot be combined with quantile or bucket, or with across",
        ),
        ({"over": "c", "quantile": 0.5}, ".over: a ratio cannot be combined"),
        ({"over": "c", "over_match": "d"}, ": over and over_match exclude each other."),
        ({"over_match": "c", "across": "any"}, ".over: a ratio cannot be combined"),
        ({"over_match": "("}, "over_match"),
        ({"over": "a.b"}, ".over: the ratio of a stat to itself is 1. Use another stat, or set over_labels."),
        ({"over_labels": {"a": "b"}}, ".over_labels: over or over_match is missing."),
        ({"over": "c", "over_labels": 5}, ".over_labels: expected a dictionary of names and values, got 5."),
        ({"labels": ["a"]}, ".labels: expected a dictionary of names and values, got ['a']."),
        ({"acros": "sum"}, ": unknown key 'acros'. Did you mean 'across'?"),
        ({"tolerance": "-5%"}, ".tolerance: expected a number of 0 or more, a share such as 5%, or binomial"),
        ({"tolerance": "binomial"}, ".tolerance: binomial needs over, the stat that counts all trials"),
        ({"tolerance": "binomial", "over": "b", "of": "rate"}, "of: value or delta"),
        ({"tolerance": "binomial", "over": "b", "across": "max"}, "across: each or sum."),
        (
            {"tolerance": "binomial", "over": "b", "op": "gt"},
            ".tolerance: binomial does not work with op gt.",
        ),
        (
            {"tolerance": "binomial", "over": "b", "value": 5},
            ".tolerance: binomial needs a value from 0 to 1",
        ),
        (
            {"tolerance": {"binomial": 2}, "over": "b"},
            ".tolerance.binomial: expected the probability of a false",
        ),
        ({"default": "none"}, ".default: expected a number, got 'none'."),
        ({"endpoint": [1]}, ".endpoint: expected a name or a list of names, got [1]."),
        ({"stat": {"a": 1}}, ".stat: expected text, got {'a': 1}."),
    ],
)
def test_parse_assertions_refuses_other_entries(change: dict[str, Any], error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_assertions([ONE, {**ONE, **change}])
    assert str(caught.value).startswith("assertions[1]")
    assert error in str(caught.value)


@pytest.mark.parametrize("entries", [{"stat": "a"}, "a", 5, ["a"]])
def test_parse_assertions_refuses_anything_but_dictionaries(entries: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^assertions(\[0\])?: expected a "):
        parse_assertions(entries)


def test_none_is_no_assertion() -> None:
    assert parse_assertions(None) == []
    with pytest.raises(ArgumentError, match=r"^assertions: the list is empty"):
        check_not_empty([])


def test_lists_and_numbers_can_be_text() -> None:
    [one] = parse_assertions([{"stat": "a", "op": "between", "value": "1, 2"}])
    assert one.value == (1, 2)
    [one] = parse_assertions([{"stat": "h", "quantile": "0.99", "op": "lt", "value": "50"}])
    assert (one.quantile, one.value) == (0.99, 50)


def test_delta_needs_since() -> None:
    assertions = parse_assertions([ONE, {**ONE, "of": "rate"}])
    with pytest.raises(
        ArgumentError, match=r"^assertions\[1\]: of: rate needs an earlier snapshot\. Set since"
    ):
        check_since(assertions)
    check_since(assertions[:1])
