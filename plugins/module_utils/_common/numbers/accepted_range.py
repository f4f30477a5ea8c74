# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers that an expectation accepts, as a range for a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Number, to_number
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    EXACT,
    BinomialRange,
    Tolerance,
)

# The lowest and the highest number; None: without a limit on this side.
Range = list[Union[int, float, None]]


def accepted_range(op: str, expected: Any, tolerance: Tolerance = EXACT, trials: Number = 0) -> Range | None:
    """Return the range of the numbers that a comparison accepts; None where they are no range, such as those of `ne`.

    Args:
        op: One of comparison.OPERATORS.
        expected: The number, or two numbers for `between`.
        tolerance: Widens the range.
        trials: The number of trials. With a binomial tolerance, the range is that of the share of these trials.

    Example:
        >>> accepted_range("eq", 20), accepted_range("le", 0.2), accepted_range("between", (1, 2)), accepted_range("ne", 3)
        ([20, 20], [None, 0.2], [1, 2], None)
    """
    listed: Sequence[Any] = expected if isinstance(expected, (list, tuple)) else (expected,)
    numbers = [number for each in listed if (number := to_number(each)) is not None]
    if not numbers or len(numbers) < len(listed) or op not in ("eq", "lt", "le", "gt", "ge", "between"):
        return None
    if tolerance.binomial:
        if not trials:
            return None
        binomial = BinomialRange.of(op, expected, tolerance, trials)
        return [binomial.fewest / binomial.trials, binomial.most / binomial.trials]
    first, last = numbers[0], numbers[-1]
    low = None if op in ("lt", "le") else first - tolerance.around(first)
    high = None if op in ("gt", "ge") else last + tolerance.around(last)
    return [low, high]
