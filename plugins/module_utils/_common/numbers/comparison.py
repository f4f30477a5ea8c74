# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare an observed value with an expected one: the one comparison of the collection, and its one wording.

Integers of any size are compared exactly. Other numbers are equal within a relative tolerance of 1e-9, because a ratio or an
average is rounded: 0.1 + 0.2 is 0.3. A float without a fractional part below 2**53 counts as an integer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Union, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    Number,
    Scalar,
    to_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import EXACT, Tolerance

if TYPE_CHECKING:
    # Only for annotations: its import takes longer than that of most modules, and traffic does not use it.
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import Pattern

NUMERIC = ("lt", "le", "gt", "ge", "between")
PRESENCE = ("present", "absent")
OPERATORS = ("eq", "ne", *NUMERIC, "in", "matches", *PRESENCE)
RELATIVE_TOLERANCE = 1e-9

# Aliases are evaluated at import, and Python 3.9 cannot evaluate `A | None`.
Expected = Union[Scalar, Sequence[Scalar], "Pattern", None]

_EXACT_FLOAT = 2.0**53  # from here on neighbouring floats are more than 1 apart
_LONGEST_TEXT = 100  # characters
# What an operator adds to its value in a message.
OPERATOR_PREFIX = {
    "eq": "",
    "ne": "other than ",
    "lt": "less than ",
    "le": "at most ",
    "gt": "more than ",
    "ge": "at least ",
}


def compare(op: str, observed: Scalar, expected: Expected, tolerance: Tolerance = EXACT) -> bool:
    """Return whether an observed value is as expected.

    Args:
        op: One of OPERATORS, without `present` and `absent`.
        observed: The value that was measured.
        expected: A number or text; a list for `in` and `between`; a pattern for `matches`.
        tolerance: Widens what is accepted by all operators but `ne`, and narrows it for `ne`.

    Example:
        >>> compare("eq", 0.1 + 0.2, 0.3), compare("eq", 2**53 + 1, 2**53)
        (True, False)
    """
    if op == "matches":
        return cast("Pattern", expected).matches(str(observed))
    if op in ("eq", "in"):
        return any(_equal(observed, each, tolerance) for each in _listed(expected))
    if op == "ne":
        return not any(_equal(observed, each, tolerance) for each in _listed(expected))
    if isinstance(observed, str):
        return False
    if op == "between":
        low, high = _listed(expected)
        return _bounded("ge", observed, low, tolerance) and _bounded("le", observed, high, tolerance)
    return _bounded(op, observed, expected, tolerance)


def equal_numbers(left: Number, right: Number) -> bool:
    """Return whether two numbers are equal: integers exactly, other numbers within a relative tolerance of 1e-9.

    Example:
        >>> equal_numbers(1 / 3, 0.3333333333), equal_numbers(1e10, 1e10 + 1)
        (True, False)
    """
    if left == right:
        return True
    if _is_whole(left) and _is_whole(right):
        return False
    try:
        return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE)
    except OverflowError:  # an integer beyond the largest float is near no float
        return False


def growth_cannot_help(op: str, observed: Scalar, expected: Expected, tolerance: Tolerance) -> bool:
    """Return whether the comparison fails now and fails for every larger number, too."""
    if isinstance(observed, str) or op == "matches" or compare(op, observed, expected, tolerance):
        return False
    if op in ("lt", "le"):
        return True
    if op not in ("eq", "in", "between"):
        return False
    bounds = [to_number(each) for each in _listed(expected)]
    return all(bound is not None and observed > bound + tolerance.around(bound) for bound in bounds)


def growth_can_help(op: str, observed: Scalar, expected: Expected, tolerance: Tolerance) -> bool:
    """Return whether the comparison fails now and can hold for a larger number."""
    if isinstance(observed, str) or op == "matches" or compare(op, observed, expected, tolerance):
        return False
    bounds = [to_number(each) for each in _listed(expected)]
    return op not in ("lt", "le", "ne") and any(bound is not None and observed <= bound for bound in bounds)


def expected_text(op: str, expected: Expected, tolerance: Tolerance = EXACT) -> str:
    """Return what is expected, for a message.

    Example:
        >>> expected_text("ge", 18), expected_text("between", (1, 2)), expected_text("in", (1, 2, 3))
        ('at least 18', '1 to 2', '1, 2 or 3')
    """
    if expected is None:
        return op
    if op == "matches":
        return f"text that matches {cast('Pattern', expected).source!r}"
    values = [format_value(each) for each in _listed(expected)]
    if op == "between":
        return " to ".join(values) + str(tolerance)
    if op == "in":
        return " or ".join(filter(None, [", ".join(values[:-1]), values[-1]])) + str(tolerance)
    return f"{OPERATOR_PREFIX[op]}{values[0]}{tolerance}"


def outcome_text(expected: str, got: str, subject: str) -> str:
    """Return the one form for an expectation and what came of it.

    Example:
        >>> outcome_text("20", "19", "delta of cluster.web.upstream_rq_200 at edge")
        'expected 20, got 19 (delta of cluster.web.upstream_rq_200 at edge)'
    """
    return f"expected {expected}, got {got} ({subject})"


def format_value(value: Scalar | None) -> str:
    """Return a value for a message: six significant digits of a fraction, at most 100 characters of text."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…")
    if isinstance(value, float):
        return f"{value:.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"
    return str(value) if abs(value) < 10**30 else f"{float(min(abs(value), 10**300)):.6g}"


def _equal(observed: Scalar, expected: object, tolerance: Tolerance) -> bool:
    if isinstance(observed, str):
        return observed == str(expected)
    number = to_number(expected)
    if number is None:
        return False
    if not tolerance.amount:
        return equal_numbers(observed, number)
    slack = tolerance.around(number)
    low, high = number - slack, number + slack
    return low <= observed <= high or equal_numbers(observed, low) or equal_numbers(observed, high)


def _bounded(op: str, observed: Number, expected: object, tolerance: Tolerance) -> bool:
    bound = to_number(expected)
    if bound is None:
        return False
    if tolerance.amount:
        slack = tolerance.around(bound)
        bound = bound + slack if op in ("lt", "le") else bound - slack
    if op in ("le", "ge"):
        return (observed <= bound if op == "le" else observed >= bound) or equal_numbers(observed, bound)
    return (observed < bound if op == "lt" else observed > bound) and not equal_numbers(observed, bound)


def _is_whole(value: Number) -> bool:
    return isinstance(value, int) or (abs(value) < _EXACT_FLOAT and value.is_integer())


def _listed(expected: object) -> Sequence[Scalar]:
    return expected if isinstance(expected, (list, tuple)) else (expected,)
