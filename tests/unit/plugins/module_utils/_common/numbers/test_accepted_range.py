# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the range of numbers that an expectation accepts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.accepted_range import (
    accepted_range,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import compare
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import (
    EXACT,
    BinomialRange,
    parse_tolerance,
)

FIVE_PERCENT = parse_tolerance("5%", "tolerance")


@pytest.mark.parametrize(
    ("op", "value", "tolerance", "accepted"),
    [
        ("eq", 20, EXACT, [20, 20]),
        ("eq", 200, FIVE_PERCENT, [190, 210]),
        ("le", 0.2, EXACT, [None, 0.2]),
        ("ge", 100, FIVE_PERCENT, [95, None]),
        ("between", [1, 2], parse_tolerance(0.5, "tolerance"), [0.5, 2.5]),
    ],
)
def test_bounds_hold(op: str, value: Any, tolerance: Any, accepted: list[float | None]) -> None:
    assert accepted_range(op, value, tolerance) == accepted
    assert all(compare(op, bound, value, tolerance) for bound in accepted if bound is not None)


@pytest.mark.parametrize(
    ("op", "value"), [("ne", 3), ("eq", "LIVE"), ("in", [1, 5]), ("matches", None), ("present", None)]
)
def test_comparison_without_a_range_has_none(op: str, value: Any) -> None:
    assert accepted_range(op, value) is None


def test_binomial_range_is_that_of_the_share() -> None:
    tolerance = parse_tolerance("binomial", "tolerance")
    binomial = BinomialRange.of("eq", 0.1, tolerance, 2000)
    assert accepted_range("eq", 0.1, tolerance, 2000) == [binomial.fewest / 2000, binomial.most / 2000]
    assert accepted_range("eq", 0.1, tolerance, 0) is None
