# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparisons, and when they can no longer come true."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import (
    EXACT,
    holds,
    in_words,
    parse_tolerance,
    show,
    too_far,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError

NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25), st.floats(allow_nan=False, allow_infinity=False, width=32)
)


@pytest.mark.parametrize(
    ("op", "observed", "expected", "answer"),
    [
        ("eq", 20, 20, True),
        ("eq", 20, "20", True),
        ("eq", 20, 20.0, True),
        ("eq", 20, "twenty", False),
        ("ne", 20, "twenty", True),
        ("eq", "LIVE", "LIVE", True),
        ("eq", "5", 5, True),
        ("lt", 1, 1, False),
        ("le", 1, 1, True),
        ("gt", 1, 1, False),
        ("ge", 1, 1, True),
        ("lt", "a", 1, False),
        ("between", 5, (1, 5), True),
        ("between", 6, (1, 5), False),
        ("in", 3, (1, 2, 3), True),
        ("in", "DRAINING", ("LIVE", "DRAINING"), True),
        ("in", 4, (1, 2, 3), False),
        (
            "eq",
            18446744073709551617,
            18446744073709551616,
            False,
        ),  # beyond 64 bits, and beyond a float's digits
    ],
)
def test_holds(op: str, observed: int | str, expected: int | str | tuple[int, ...], answer: bool) -> None:
    assert holds(op, observed, expected, EXACT) is answer


@pytest.mark.parametrize(
    ("op", "observed", "tolerance", "answer"),
    [
        ("eq", 105, "5%", True),
        ("eq", 106, "5%", False),
        ("eq", 102, 2, True),
        ("ne", 102, 2, False),
        ("le", 102, 2, True),
        ("lt", 102, 2, False),
        ("ge", 98, "2", True),
        ("gt", 98, 2, False),
        ("ge", 97, 2, False),
    ],
)
def test_tolerance(op: str, observed: int, tolerance: object, answer: bool) -> None:
    assert holds(op, observed, 100, parse_tolerance(tolerance, "tolerance")) is answer


@pytest.mark.parametrize("tolerance", ["-1", "five", "nan", "inf", ""])
def test_a_tolerance_that_is_none(tolerance: str) -> None:
    with pytest.raises(SpecError, match="tolerance"):
        parse_tolerance(tolerance, "tolerance")


@given(NUMBERS, NUMBERS)
def test_operators_are_each_others_opposites(observed: float, expected: float) -> None:
    for one, other in (("eq", "ne"), ("lt", "ge"), ("gt", "le")):
        assert holds(one, observed, expected, EXACT) is not holds(other, observed, expected, EXACT)


BIG = st.one_of(st.integers(2**53 - 3, 2**53 + 3), st.integers(-(10**40), 10**40))
EXACTLY = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq}


@given(st.sampled_from(list(EXACTLY)), BIG, st.one_of(st.just(0), st.integers(-2, 2), st.integers()))
def test_whole_numbers_of_any_length_are_compared_exactly(op: str, observed: int, further: int) -> None:
    for expected in (observed + further, str(observed + further)):
        assert holds(op, observed, expected, EXACT) is EXACTLY[op](observed, observed + further)
    inside = holds("between", observed, (observed + min(further, 0), observed + max(further, 0)), EXACT)
    assert inside
    assert too_far("eq", observed, observed + further, EXACT) is (further < 0)


@given(
    st.sampled_from(["eq", "lt", "le", "in", "between", "gt", "ge", "ne"]),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 9),
)
def test_what_is_too_far_never_holds_again(op: str, observed: int, bound: int, tolerance: int) -> None:
    expected = (bound,) if op == "in" else (bound, bound + 3) if op == "between" else bound
    slack = parse_tolerance(tolerance, "tolerance")
    later = [holds(op, value, expected, slack) for value in range(observed, observed + 120)]
    if too_far(op, observed, expected, slack):
        assert not any(later)
    elif op in ("eq", "lt", "le", "in", "between"):
        assert any(later)  # and it is noticed whenever it is so


@pytest.mark.parametrize(
    ("op", "expected", "words"),
    [
        ("eq", 20, "eq 20"),
        ("between", (1, 2), "between 1 and 2"),
        ("in", (1, "a"), "in 1, 'a'"),
        ("absent", None, "absent"),
    ],
)
def test_words(op: str, expected: int | tuple[int, ...] | None, words: str) -> None:
    assert in_words(op, expected, EXACT) == words
    assert in_words("eq", 20, parse_tolerance("5%", "")) == "eq 20 ± 5 %"


def test_values_in_messages_are_short() -> None:
    assert len(show("x" * 10_000)) < 110
    assert len(show(10**4000)) < 20
    assert show(0.1 + 0.2) == "0.3"
