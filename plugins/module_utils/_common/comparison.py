# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a number or a text is what was expected, and whether it still can become so."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common import tolerance as tolerances
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Number, Scalar, number
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._common.tolerance import EXACT, Tolerance

NUMERIC = ("lt", "le", "gt", "ge", "between")
OPERATORS = ("eq", "ne", *NUMERIC, "in", "matches", "present", "absent")
__all__ = [
    "EXACT",
    "NUMERIC",
    "OPERATORS",
    "Tolerance",
    "holds",
    "in_words",
    "parse_tolerance",
    "show",
    "too_far",
    "too_low",
]


def parse_tolerance(value: object, where: str) -> Tolerance:
    """A number, a share such as `5%`, or `binomial`."""
    try:
        return tolerances.parse_tolerance(value)
    except ValueError as error:
        raise SpecError(f"{where} {error}") from None


def holds(
    op: str, observed: Scalar, expected: Scalar | Sequence[Scalar] | Pattern | None, tolerance: Tolerance
) -> bool:
    """One comparison. A tolerance widens what is accepted: `eq`, `between`, `le` and the like accept more, `ne` refuses more."""
    if isinstance(expected, Pattern):
        return expected.matches(_text(observed))
    if op == "in":
        return any(_equal(observed, one, tolerance) for one in _many(expected))
    if op in ("eq", "ne"):
        return any(_equal(observed, one, tolerance) for one in _many(expected)) is (op == "eq")
    if isinstance(observed, str):
        return False
    if op == "between":
        low, high = (_number(one) for one in _many(expected))
        return (
            low is not None
            and high is not None
            and low - tolerance.around(low) <= observed <= high + tolerance.around(high)
        )
    bound = _number(expected) if isinstance(expected, (int, float, str)) else None
    if bound is None:
        return False
    slack = tolerance.around(bound)
    if op == "lt":
        return observed < bound + slack
    if op == "le":
        return observed <= bound + slack
    if op == "gt":
        return observed > bound - slack
    return observed >= bound - slack


def too_far(
    op: str, observed: Scalar, expected: Scalar | Sequence[Scalar] | Pattern | None, tolerance: Tolerance
) -> bool:
    """Whether something that only grows is already past the point where the comparison can come true."""
    if isinstance(observed, str) or isinstance(expected, Pattern) or holds(op, observed, expected, tolerance):
        return False
    if op in ("lt", "le"):
        return True
    if op not in ("eq", "in", "between"):
        return False
    bounds = [_number(one) for one in (_many(expected))]
    return all(bound is not None and observed > bound + tolerance.around(bound) for bound in bounds)


def too_low(
    op: str, observed: Scalar, expected: Scalar | Sequence[Scalar] | Pattern | None, tolerance: Tolerance
) -> bool:
    """Whether the comparison may come true when the number grows."""
    if isinstance(observed, str) or isinstance(expected, Pattern) or holds(op, observed, expected, tolerance):
        return False
    bounds = [_number(one) for one in _many(expected)]
    return op not in ("lt", "le", "ne") and any(bound is not None and observed <= bound for bound in bounds)


def in_words(op: str, expected: Scalar | Sequence[Scalar] | Pattern | None, tolerance: Tolerance) -> str:
    """`eq 20`, `between 1 and 2`, `in 1, 2`."""
    if expected is None:
        return op
    if isinstance(expected, Pattern):
        return f"{op} {expected.source!r}"
    if isinstance(expected, (int, float, str)):
        return f"{op} {show(expected)}{tolerance}"
    return f"{op} {(' and ' if op == 'between' else ', ').join(show(one) for one in expected)}{tolerance}"


def show(value: Scalar | None) -> str:
    """A value in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= 100 else value[:99] + "…")
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if abs(value) < 10**30 else f"{float(min(abs(value), 10**300)):.6g}"


def _equal(observed: Scalar, expected: Scalar, tolerance: Tolerance) -> bool:
    if isinstance(observed, str):
        return observed == _text(expected)
    wanted = _number(expected)
    if wanted is None:
        return False
    if not tolerance.amount:
        return observed == wanted
    return abs(observed - wanted) <= tolerance.around(wanted)


def _number(value: Scalar) -> Number | None:
    try:
        return number(value, "")
    except SpecError:
        return None


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else str(value)


def _many(expected: object) -> Sequence[Scalar]:
    return expected if isinstance(expected, (list, tuple)) else (expected,)
