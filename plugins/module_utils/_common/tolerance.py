# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far off a number may be: by an amount, by a share of it, or by what chance does to a share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.binomial import MOST_TRIALS, bounds

# Aliases are evaluated, and ansible-test reads module_utils as the oldest Python that it knows.
Number = Union[int, float]  # noqa: UP007

BINOMIAL = "binomial"
# One run in a million fails although nothing is wrong, for each expectation.
FALSE_ALARM = 1e-6
# What chance can be given a part in: the others would say nothing, or the contrary of what they look like.
OPERATORS = ("eq", "le", "ge", "between")


@dataclass(frozen=True)
class Tolerance:
    """How far off a number may be. Above 0, `false_alarm` is how often chance may be taken for a mistake."""

    amount: float = 0.0
    relative: bool = False
    false_alarm: float = 0.0

    @property
    def binomial(self) -> bool:
        return self.false_alarm > 0

    def around(self, expected: Number) -> Number:
        if not self.amount:
            return 0  # a float would round whole numbers beyond 2**53
        return abs(expected) * self.amount if self.relative else self.amount

    def __str__(self) -> str:
        if self.binomial:
            return " ± chance"
        if not self.amount:
            return ""
        return f" ± {self.amount * 100:g} %" if self.relative else f" ± {self.amount:g}"


EXACT = Tolerance()


def parse_tolerance(value: Any) -> Tolerance:
    """Read a number, a share such as `5%`, `binomial`, or `{binomial: FALSE_ALARM}`. Raises ValueError."""
    if isinstance(value, Mapping):
        if set(value) != {BINOMIAL}:
            raise ValueError(
                f"takes {BINOMIAL} and nothing else as a dictionary, not {', '.join(map(str, value))}"
            )
        return Tolerance(false_alarm=_false_alarm(value[BINOMIAL]))
    text = str(value).strip()
    if text == BINOMIAL:
        return Tolerance(false_alarm=FALSE_ALARM)
    relative = text.endswith("%")
    amount = _number(text.removesuffix("%").strip())
    if amount is None or not 0 <= amount < math.inf:
        raise ValueError(f"has to be a number of 0 or more, a share such as 5%, or {BINOMIAL}, not {value!r}")
    return Tolerance(amount / 100 if relative else amount, relative)


def check_binomial(op: str, value: Any) -> None:
    """Raise ValueError where a comparison leaves chance no part, or its value is no probability."""
    if op not in OPERATORS:
        raise ValueError(f"{BINOMIAL} goes with {', '.join(OPERATORS)}, not with {op}")
    for one in _probabilities(op, value):
        if isinstance(one, str) or not 0 <= one <= 1:
            raise ValueError(f"{BINOMIAL} is about a share, and {one!r} is none from 0 to 1")


@dataclass(frozen=True)
class Chance:
    """A share that is left to chance: how many of `trials` may be picked."""

    op: str
    value: Number | Sequence[Number]
    trials: int
    fewest: int
    most: int

    @classmethod
    def of(cls, op: str, value: Any, tolerance: Tolerance, trials: Number) -> Chance:
        """Return the bounds for this number of trials. Raises ValueError where there are none to be computed for it."""
        if not 0 < trials <= MOST_TRIALS or trials != int(trials):
            raise ValueError(
                f"{trials:g} is no number of which chance could pick some; it needs 1 to {MOST_TRIALS:g}"
            )
        lowest, highest = _probabilities(op, value)
        fewest, most = bounds(int(trials), lowest, highest, tolerance.false_alarm)
        return cls(op, value, int(trials), fewest, most)

    def explains(self, picked: Number) -> bool:
        return self.fewest <= picked <= self.most

    @property
    def expected(self) -> str:
        """What is expected, in words: `10 %: 3 to 43 of 200`."""
        low, high = (percent(one) for one in _probabilities(self.op, self.value))
        words = {"eq": low, "le": f"at most {high}", "ge": f"at least {low}", "between": f"{low} to {high}"}
        return f"{words[self.op]}: {self.fewest} to {self.most} of {self.trials}"

    def seen(self, picked: Number) -> str:
        """What was seen, in words: `50 of 200 (25 %)`."""
        return f"{picked} of {self.trials} ({percent(picked / self.trials)})"


def percent(share: float) -> str:
    return f"{share * 100:.4g} %"


def _probabilities(op: str, value: Any) -> tuple[Any, Any]:
    """The lowest and the highest probability that a comparison accepts."""
    if op == "between":
        low, high = value
        return low, high
    return (0 if op == "le" else value), (1 if op == "ge" else value)


def _false_alarm(value: Any) -> float:
    share = None if isinstance(value, bool) else _number(str(value))
    if share is None or not 1e-15 <= share <= 0.5:
        raise ValueError(
            f"{BINOMIAL} takes how often a false alarm may be, from 1e-15 to 0.5, such as 1e-6; not {value!r}"
        )
    return share


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
