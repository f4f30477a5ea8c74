# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`tolerance` as people write it, and the range of counts that a binomial tolerance accepts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    FALSE_ALARM,
    BinomialRange,
    Tolerance,
    check_binomial,
    parse_tolerance,
)


@pytest.mark.parametrize(
    ("value", "tolerance"),
    [
        (5, Tolerance(5)),
        ("0.5", Tolerance(0.5)),
        ("5%", Tolerance(0.05, relative=True)),
        ("binomial", Tolerance(false_alarm=FALSE_ALARM)),
        # YAML 1.1 reads 1e-9 as text.
        ({"binomial": "1e-9"}, Tolerance(false_alarm=1e-9)),
        ({"binomial": 0.01}, Tolerance(false_alarm=0.01)),
    ],
)
def test_parse_tolerance(value: Any, tolerance: Tolerance) -> None:
    assert parse_tolerance(value, "tolerance") == tolerance


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("binomal", "or binomial, got 'binomal'"),
        ("-1", "expected a number of 0 or more"),
        ("five", "expected a number of 0 or more"),
        ("nan", "expected a number of 0 or more"),
        ("inf", "expected a number of 0 or more"),
        ("", "expected a number of 0 or more"),
        (True, "expected a number of 0 or more"),
        ([5], "expected a number of 0 or more"),
        (
            {},
            r"\.binomial: expected the probability of a false alarm from 1e-15 to 0.5, such as 1e-6, got nothing",
        ),
        ({"binomial": 1e-6, "normal": 1}, "unknown key 'normal'"),
        ({"binomial": 0}, "the probability of a false alarm"),
        ({"binomial": 0.9}, "from 1e-15 to 0.5"),
        ({"binomial": True}, "got true"),
        ({"binomial": "often"}, "got 'often'"),
    ],
)
def test_parse_tolerance_refuses_other_values(value: Any, error: str) -> None:
    with pytest.raises(ArgumentError, match=rf"^x\.tolerance.*{error}"):
        parse_tolerance(value, "x.tolerance")


@pytest.mark.parametrize(
    ("op", "value", "error"),
    [
        ("ne", 0.1, "binomial does not work with op ne. Use one of: eq, le, ge, between."),
        ("lt", 0.1, "does not work with op lt"),
        ("in", (0.1, 0.2), "does not work with op in"),
        ("eq", 10, "a probability, but the value is 10"),
        ("ge", -0.1, "the value is -0.1"),
        ("between", (0.1, 20), "the value is 20"),
        ("eq", "LIVE", "the value is 'LIVE'"),
    ],
)
def test_check_binomial_refuses_operators_and_values(op: str, value: Any, error: str) -> None:
    with pytest.raises(ArgumentError, match=error):
        check_binomial(op, value, "tolerance")


@pytest.mark.parametrize(
    ("op", "value", "text", "accepted"),
    [
        ("eq", 0.1, "3 to 43 of 200 for a share of 10 %", range(3, 44)),
        ("ge", 0.1, "3 to 200 of 200 for a share of at least 10 %", range(3, 201)),
        ("le", 0.1, "0 to 43 of 200 for a share of at most 10 %", range(44)),
        ("between", (0.1, 0.5), "3 to 134 of 200 for a share of 10 % to 50 %", range(3, 135)),
        ("eq", 0, "0 to 0 of 200 for a share of 0 %", range(1)),
        ("eq", 1, "200 to 200 of 200 for a share of 100 %", range(200, 201)),
    ],
)
def test_binomial_range(op: str, value: Any, text: str, accepted: range) -> None:
    found = BinomialRange.of(op, value, parse_tolerance("binomial", "tolerance"), 200)
    assert found.expected == text
    assert [count for count in range(-1, 203) if found.contains(count)] == list(accepted)


@pytest.mark.parametrize("trials", [0, -3, 2.5, 10**13])
def test_binomial_range_refuses_numbers_of_trials(trials: float) -> None:
    with pytest.raises(ValueError, match=r"a binomial tolerance needs 1 to 1e\+12 trials, and there were "):
        BinomialRange.of("eq", 0.1, parse_tolerance("binomial", "tolerance"), trials)
