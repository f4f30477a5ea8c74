# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tolerances of an expected number: an amount, a share of the number, or a binomial distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    Number,
    expected,
    mapping,
    shown,
    to_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.binomial import (
    MOST_TRIALS,
    bounds,
)

BINOMIAL = "binomial"
# For each expectation, one run in a million fails although the probability is as expected.
FALSE_ALARM = 1e-6
LOWEST_FALSE_ALARM, HIGHEST_FALSE_ALARM = 1e-15, 0.5
# The other operators have no meaning for a count that is random.
BINOMIAL_OPERATORS = ("eq", "le", "ge", "between")


@dataclass(frozen=True)
class Tolerance:
    """How far an observed number may be from the expected one.

    `amount` is a number, or a share of the expected number where `relative` is set. `false_alarm` above 0 makes the tolerance
    binomial: it is the probability that a correct system fails the expectation.
    """

    amount: float = 0.0
    relative: bool = False
    false_alarm: float = 0.0

    @property
    def binomial(self) -> bool:
        """Whether the tolerance follows from the number of trials."""
        return self.false_alarm > 0

    def around(self, number: Number) -> Number:
        """Return how far off an observed number may be where `number` is expected."""
        if self.relative:
            return abs(number) * self.amount
        # An integer, so that integers above 2**53 are not rounded.
        return int(self.amount) if self.amount.is_integer() else self.amount

    def __str__(self) -> str:
        if self.binomial:
            return " (binomial)"
        if not self.amount:
            return ""
        return f" ± {self.amount * 100:g} %" if self.relative else f" ± {self.amount:g}"


EXACT = Tolerance()


def parse_tolerance(value: Any, where: str) -> Tolerance:
    """Return the tolerance that a number, a share such as `5%`, `binomial` or `{binomial: FALSE_ALARM}` describes.

    Raises:
        ArgumentError: The value is none of these.

    Example:
        >>> parse_tolerance("5%", "tolerance")
        Tolerance(amount=0.05, relative=True, false_alarm=0.0)
    """
    if isinstance(value, Mapping):
        return Tolerance(false_alarm=_false_alarm(mapping(value, where, [BINOMIAL]), where))
    text = str(value).strip()
    if text == BINOMIAL:
        return Tolerance(false_alarm=FALSE_ALARM)
    relative = text.endswith("%")
    amount = to_number(text[:-1].strip() if relative else text)
    if amount is None or not 0 <= amount < math.inf:
        raise expected(where, f"a number of 0 or more, a share such as 5%, or {BINOMIAL}", value)
    return Tolerance(amount / 100 if relative else float(amount), relative)


def check_binomial(op: str, value: Any, where: str) -> None:
    """Raise ArgumentError where `tolerance: binomial` cannot be used with an operator and its value."""
    if op not in BINOMIAL_OPERATORS:
        allowed = ", ".join(BINOMIAL_OPERATORS)
        raise ArgumentError(where, f"{BINOMIAL} does not work with op {op}. Use one of: {allowed}.")
    for each in _probabilities(op, value):
        if isinstance(each, str) or not 0 <= each <= 1:
            raise ArgumentError(
                where, f"{BINOMIAL} needs a value from 0 to 1, a probability, but the value is {shown(each)}."
            )


@dataclass(frozen=True)
class BinomialRange:
    """How often a random event may occur in a number of trials."""

    op: str
    value: Number | Sequence[Number]
    trials: int
    fewest: int
    most: int

    @classmethod
    def of(cls, op: str, value: Any, tolerance: Tolerance, trials: Number) -> BinomialRange:
        """Return the range for a number of trials.

        Args:
            op: One of BINOMIAL_OPERATORS.
            value: The expected probability; for `between`, the lowest and the highest one.
            tolerance: A binomial tolerance.
            trials: How many trials there were.

        Raises:
            ValueError: The number of trials is not from 1 to 10**12, or has a fraction.

        Example:
            >>> BinomialRange.of("eq", 0.1, parse_tolerance("binomial", "tolerance"), 200).expected
            '3 to 43 of 200 for a share of 10 %'
        """
        if not 0 < trials <= MOST_TRIALS or trials != int(trials):
            raise ValueError(
                f"a binomial tolerance needs 1 to {MOST_TRIALS:g} trials, and there were {trials:g}"
            )
        lowest, highest = _probabilities(op, value)
        fewest, most = bounds(int(trials), lowest, highest, tolerance.false_alarm)
        return cls(op, value, int(trials), fewest, most)

    def contains(self, count: Number) -> bool:
        """Return whether the expected probability explains this count."""
        return self.fewest <= count <= self.most

    @property
    def expected(self) -> str:
        """What is expected, for a message: `3 to 43 of 200 for a share of 10 %`."""
        low, high = (percent(each) for each in _probabilities(self.op, self.value))
        probability = {
            "eq": low,
            "le": f"at most {high}",
            "ge": f"at least {low}",
            "between": f"{low} to {high}",
        }
        return f"{self.fewest} to {self.most} of {self.trials} for a share of {probability[self.op]}"


def percent(share: float) -> str:
    """Return a share as per cent with four significant digits: `12.5 %`."""
    return f"{share * 100:.4g} %"


def _probabilities(op: str, value: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest probability that a comparison accepts."""
    if op == "between":
        low, high = value
        return low, high
    return (0 if op == "le" else value), (1 if op == "ge" else value)


def _false_alarm(entry: Mapping[str, Any], where: str) -> float:
    value = entry.get(BINOMIAL)
    share = to_number(value)
    if share is None or not LOWEST_FALSE_ALARM <= share <= HIGHEST_FALSE_ALARM:
        raise expected(
            f"{where}.{BINOMIAL}",
            f"the probability of a false alarm from {LOWEST_FALSE_ALARM:g} to {HIGHEST_FALSE_ALARM:g}, such as 1e-6",
            value,
        )
    return float(share)
