# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tolerance` as people write it, and in the words of messages."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.tolerance import (
    FALSE_ALARM,
    Chance,
    Tolerance,
    check_binomial,
    parse_tolerance,
)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (5, Tolerance(5)),
        ("0.5", Tolerance(0.5)),
        ("5%", Tolerance(0.05, relative=True)),
        ("binomial", Tolerance(false_alarm=FALSE_ALARM)),
        # As YAML 1.1 reads 1e-9: text.
        ({"binomial": "1e-9"}, Tolerance(false_alarm=1e-9)),
        ({"binomial": 0.01}, Tolerance(false_alarm=0.01)),
    ],
)
def test_what_may_be_written(value: Any, read: Tolerance) -> None:
    assert parse_tolerance(value) == read


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("binomal", "or binomial, not 'binomal'"),
        ("-1", "a number of 0 or more"),
        (True, "a number of 0 or more"),
        ([5], "a number of 0 or more"),
        ({}, "nothing else as a dictionary"),
        ({"binomial": 1e-6, "normal": 1}, "not binomial, normal"),
        ({"binomial": 0}, "how often a false alarm may be"),
        ({"binomial": 0.9}, "from 1e-15 to 0.5"),
        ({"binomial": True}, "not True"),
        ({"binomial": "often"}, "not 'often'"),
    ],
)
def test_what_may_not(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_tolerance(value)


@pytest.mark.parametrize(
    ("op", "value", "words"),
    [
        ("ne", 0.1, "goes with eq, le, ge, between, not with ne"),
        ("lt", 0.1, "not with lt"),
        ("in", (0.1, 0.2), "not with in"),
        ("eq", 10, "10 is none from 0 to 1"),
        ("ge", -0.1, "-0.1 is none"),
        ("between", (0.1, 20), "20 is none"),
        ("eq", "LIVE", "'LIVE' is none"),
    ],
)
def test_where_chance_has_no_part(op: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_binomial(op, value)


@pytest.mark.parametrize(
    ("op", "value", "words", "fits"),
    [
        ("eq", 0.1, "10 %: 3 to 43 of 200", range(3, 44)),
        ("ge", 0.1, "at least 10 %: 3 to 200 of 200", range(3, 201)),
        ("le", 0.1, "at most 10 %: 0 to 43 of 200", range(44)),
        ("between", (0.1, 0.5), "10 % to 50 %: 3 to 134 of 200", range(3, 135)),
        ("eq", 0, "0 %: 0 to 0 of 200", range(1)),
        ("eq", 1, "100 %: 200 to 200 of 200", range(200, 201)),
    ],
)
def test_what_chance_explains(op: str, value: Any, words: str, fits: range) -> None:
    chance = Chance.of(op, value, parse_tolerance("binomial"), 200)
    assert chance.expected == words
    assert [one for one in range(-1, 203) if chance.explains(one)] == list(fits)
    assert chance.seen(37) == "37 of 200 (18.5 %)"


@pytest.mark.parametrize("trials", [0, -3, 2.5, 10**13])
def test_of_how_many_nothing_can_be_said(trials: float) -> None:
    with pytest.raises(ValueError, match="is no number of which chance could pick some"):
        Chance.of("eq", 0.1, parse_tolerance("binomial"), trials)
