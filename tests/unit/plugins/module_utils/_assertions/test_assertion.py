# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assertions from plain data, and the errors for those that cannot be evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import parse_assertions
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

ONE = {"stat": "a.b", "op": "eq", "value": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stat": None}, "either stat"),
        ({"match": "a"}, "not both"),
        ({"op": None}, "op: a value is missing"),
        ({"op": "equals"}, "unknown value 'equals'"),
        ({"value": None}, "value is missing"),
        ({"value": [1]}, "expected a number or text"),
        ({"value": True}, "expected a number or text"),
        ({"op": "lt", "value": "x"}, "expected a number"),
        ({"op": "between", "value": [2, 1]}, "lowest, highest"),
        ({"op": "between", "value": 2}, "has to be a list"),
        ({"op": "absent"}, "leave it out"),
        ({"op": "matches", "value": "(?=a)"}, "RE2"),
        ({"quantile": 99}, "write 0.99"),
        ({"quantile": -1}, "from 0 to 1"),
        ({"quantile": 0.5, "bucket": 1}, "not both"),
        ({"quantile": 0.5, "of": "rate"}, "no rate"),
        ({"window": "interval"}, "quantile or bucket"),
        ({"source": "clusters", "of": "delta"}, "are for stats"),
        ({"over": "c", "across": "count"}, "ratio"),
        ({"over": "c", "quantile": 0.5}, "ratio"),
        ({"over": "c", "over_match": "d"}, "not both"),
        ({"over_match": "c", "across": "any"}, "ratio"),
        ({"over_match": "("}, "over_match"),
        ({"over": "a.b"}, "ratio to itself"),
        ({"over_labels": {"a": "b"}}, "goes with over"),
        ({"over": "c", "over_labels": 5}, "over_labels has to be a dictionary"),
        ({"stat": None, "labels": {}}, "either stat"),
        ({"labels": ["a"]}, "dictionary"),
        ({"acros": "sum"}, "Did you mean .across"),
        ({"tolerance": "-5%"}, "tolerance"),
        ({"tolerance": "binomial"}, "it goes with over"),
        ({"tolerance": "binomial", "over": "b", "of": "rate"}, "of: value or delta"),
        ({"tolerance": "binomial", "over": "b", "across": "max"}, "each or sum"),
        ({"tolerance": "binomial", "over": "b", "op": "gt"}, "Use one of: eq, le, ge, between"),
        ({"tolerance": "binomial", "over": "b", "value": 5}, "the value is 5"),
        ({"tolerance": {"binomial": 2}, "over": "b"}, "false alarm"),
        ({"default": "none"}, "default"),
        ({"quantile": 0.5, "default": 0}, "no quantile of nothing"),
        ({"endpoint": [1]}, "a name or a list of names"),
        ({"stat": {"a": 1}}, "expected text"),
    ],
)
def test_an_assertion_that_cannot_be_meant(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        parse_assertions([ONE, {**ONE, **change}])
    assert str(caught.value).startswith("assertions[1]")


@pytest.mark.parametrize("entries", [{"stat": "a"}, "a", 5, ["a"]])
def test_assertions_that_are_no_list_of_dictionaries(entries: Any) -> None:
    with pytest.raises(ArgumentError, match="assertions"):
        parse_assertions(entries)


def test_an_assertion_in_words() -> None:
    one = parse_assertions(
        [
            {
                "stat": "h",
                "quantile": "0.99",
                "of": "delta",
                "across": "sum",
                "op": "lt",
                "value": "50",
                "tolerance": "5%",
            }
        ]
    )[0]
    assert one.expected == "sum p99 delta less than 50 ± 5 %"
    assert parse_assertions(None) == []
    assert parse_assertions([{"stat": "a", "op": "between", "value": "1, 2"}])[0].value == (1, 2)
