# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one comparison of observed and expected values, its wording, and whether growth can help."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    compare,
    equal_numbers,
    expected_text,
    format_value,
    growth_can_help,
    growth_cannot_help,
    outcome_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    EXACT,
    parse_tolerance,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)

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
    ],
)
def test_compare(op: str, observed: int | str, expected: int | str | tuple[int, ...], answer: bool) -> None:
    assert compare(op, observed, expected) is answer


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (0.1 + 0.2, 0.3, True),
        (1 / 3, 0.33333333, False),
        (1 / 3, 0.3333333333, True),
        (2**53 + 1, 2**53, False),
        (2**64 + 1, 2**64, False),
        (2**53 + 1, 2.0**53, True),  # a float of this size has no exact neighbour
        (1e10 + 1, 1e10, False),  # whole floats are integers
        (1e10 + 1, 10**10, False),
        (1e10 + 0.5, 10**10, True),
        (float("inf"), float("inf"), True),
        (float("inf"), 5, False),
        (10**400, 0.5, False),
    ],
)
def test_integers_are_exact_and_other_numbers_nearly(left: float, right: float, equal: bool) -> None:
    assert [equal_numbers(*pair) for pair in ((left, right), (right, left))] == [equal, equal]
    assert compare("eq", left, right) is equal


@pytest.mark.parametrize(
    ("op", "answer"), [("eq", True), ("ne", False), ("le", True), ("ge", True), ("lt", False), ("gt", False)]
)
def test_rounding_changes_no_comparison(op: str, answer: bool) -> None:
    assert compare(op, 0.1 + 0.2, 0.3) is answer
    assert compare(op, 0.3, 0.1 + 0.2) is answer


def test_rounding_changes_no_range() -> None:
    assert compare("between", 0.1 + 0.2, (0.1, 0.3))
    assert not compare("between", 0.31, (0.1, 0.3))


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
def test_tolerance_widens_what_is_accepted(op: str, observed: int, tolerance: object, answer: bool) -> None:
    assert compare(op, observed, 100, parse_tolerance(tolerance, "tolerance")) is answer


def test_tolerance_keeps_large_integers_exact() -> None:
    two = parse_tolerance(2, "tolerance")
    assert compare("eq", 2**60 + 2, 2**60, two)
    assert not compare("eq", 2**60 + 3, 2**60, two)
    assert not compare("le", 2**60 + 3, 2**60, two)


@pytest.mark.parametrize("op", ["eq", "le", "ge"])
def test_tolerance_includes_its_rounded_bounds(op: str) -> None:
    tenth = parse_tolerance(0.1, "tolerance")
    assert compare(op, 0.3, 0.2, tenth)
    assert compare(op, 0.1, 0.2, tenth)


@given(NUMBERS, NUMBERS)
def test_operators_are_opposites(observed: float, expected: float) -> None:
    for op, opposite in (("eq", "ne"), ("lt", "ge"), ("gt", "le")):
        assert compare(op, observed, expected) is not compare(opposite, observed, expected)


BIG = st.one_of(st.integers(2**53 - 3, 2**53 + 3), st.integers(-(10**40), 10**40))
EXACTLY = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq}


@given(st.sampled_from(list(EXACTLY)), BIG, st.one_of(st.just(0), st.integers(-2, 2), st.integers()))
def test_integers_of_any_size_are_compared_exactly(op: str, observed: int, distance: int) -> None:
    for expected in (observed + distance, str(observed + distance)):
        assert compare(op, observed, expected) is EXACTLY[op](observed, observed + distance)
    assert compare("between", observed, (observed + min(distance, 0), observed + max(distance, 0)))
    assert growth_cannot_help("eq", observed, observed + distance, EXACT) is (distance < 0)


@given(
    st.sampled_from(["eq", "lt", "le", "in", "between", "gt", "ge", "ne"]),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 9),
)
def test_growth_helps_exactly_when_a_larger_number_fits(
    op: str, observed: int, bound: int, tolerance: int
) -> None:
    expected = (bound,) if op == "in" else (bound, bound + 3) if op == "between" else bound
    slack = parse_tolerance(tolerance, "tolerance")
    later = [compare(op, value, expected, slack) for value in range(observed, observed + 120)]
    if growth_cannot_help(op, observed, expected, slack):
        assert not any(later)
    elif op in ("eq", "lt", "le", "in", "between"):
        assert any(later)
    if growth_can_help(op, observed, expected, slack):
        assert any(later)
        assert not later[0]


def test_text_never_grows() -> None:
    for function in (growth_can_help, growth_cannot_help):
        assert not function("eq", "LIVE", "DRAINING", EXACT)
        assert not function("matches", 5, compile_pattern("6", "value"), EXACT)


@pytest.mark.parametrize(
    ("op", "expected", "text"),
    [
        ("eq", 20, "20"),
        ("eq", "LIVE", "'LIVE'"),
        ("ne", 20, "other than 20"),
        ("lt", 20, "less than 20"),
        ("le", 20, "at most 20"),
        ("gt", 20, "more than 20"),
        ("ge", 20, "at least 20"),
        ("between", (1, 2), "1 to 2"),
        ("in", (1,), "1"),
        ("in", (1, "a"), "1 or 'a'"),
        ("in", (1, 2, 3), "1, 2 or 3"),
        ("matches", compile_pattern("a.*", "value"), "text that matches 'a.*'"),
        ("absent", None, "absent"),
    ],
)
def test_expected_text(op: str, expected: int | tuple[int, ...] | None, text: str) -> None:
    assert expected_text(op, expected) == text


def test_expected_text_names_the_tolerance() -> None:
    assert expected_text("eq", 20, parse_tolerance("5%", "")) == "20 ± 5 %"
    assert expected_text("between", (1, 2), parse_tolerance(3, "")) == "1 to 2 ± 3"
    assert expected_text("ge", 0.1, parse_tolerance("binomial", "")) == "at least 0.1 (binomial)"


def test_outcome_text_has_one_form() -> None:
    assert outcome_text("20", "19", "delta of x at edge") == "expected 20, got 19 (delta of x at edge)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1234.5678, "1234.57"),
        (123456.78, "123457"),
        (2.5e-7, "2.5e-07"),
        (10**29, "1" + "0" * 29),
        (None, "nothing"),
        ("LIVE", "'LIVE'"),
    ],
)
def test_format_value(value: float | str | None, text: str) -> None:
    assert format_value(value) == text


def test_formatted_values_are_short() -> None:
    assert len(format_value("x" * 10_000)) < 110
    assert len(format_value(10**4000)) < 20
