# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a random event can occur in a number of trials, from the binomial distribution itself.

The normal distribution is no replacement: its bounds are wrong for few trials and for small probabilities, which matter most.
"""

from __future__ import annotations

import math

# With this many trials a sum takes less than a second, and log-gamma gives probabilities with an error below 1 %.
MOST_TRIALS = 10**12
# The terms that are left out are smaller than the tail by this power of e: 10**12 of them add up to 10**-14 of the tail.
_NEGLIGIBLE = 60.0


def bounds(trials: int, lowest: float, highest: float, false_alarm: float) -> tuple[int, int]:
    """Return the fewest and the most occurrences that a probability from `lowest` to `highest` explains.

    Args:
        trials: The number of trials, up to MOST_TRIALS.
        lowest: The lowest probability of one occurrence.
        highest: The highest probability of one occurrence.
        false_alarm: The probability of a number outside of the bounds. Each side gets half of it, or one side gets all of it where
            the other has no bound (`lowest` 0 or `highest` 1). A probability of exactly 0 or 1 has one possible number.

    Raises:
        ValueError: An argument is no probability, or there are too many trials.

    Example:
        >>> bounds(200, 0.1, 0.1, 1e-6)
        (3, 43)
    """
    if not 0 <= trials <= MOST_TRIALS:
        raise ValueError(f"{trials} is not a number of trials from 0 to {MOST_TRIALS}")
    if not 0 <= lowest <= highest <= 1:
        raise ValueError(f"{lowest} and {highest} are not two probabilities from 0 to 1, the lower one first")
    if not 0 < false_alarm < 1:
        raise ValueError(f"{false_alarm} is not a probability above 0 and below 1")
    two_sides = lowest > 0 and highest < 1
    tail = false_alarm / 2 if two_sides else false_alarm
    fewest = _fewest(trials, lowest, 1 - lowest, tail)
    most = trials - _fewest(trials, 1 - highest, highest, tail)
    return fewest, most


def _fewest(trials: int, hit: float, miss: float, tail: float) -> int:
    """Return the smallest k with P(X ≤ k) > `tail`, so that fewer than k occurrences have at most this probability.

    `hit` and `miss` add up to 1. Both are passed, because 1 - x loses the digits of a small x.
    """
    if hit == 0:
        return 0
    if miss == 0:
        return trials
    log_hit, log_miss, log_tail = math.log(hit), math.log(miss), math.log(tail)
    everything = math.lgamma(trials + 1)

    def log_term(k: int) -> float:
        """Return the logarithm of P(X = k) in units of `tail`."""
        ways = everything - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        return ways + k * log_hit + (trials - k) * log_miss - log_tail

    # Terms grow up to the most probable one. Bisection finds the first one that is not negligible.
    low, high = 0, min(trials, math.floor((trials + 1) * hit))
    while low < high:
        middle = (low + high) // 2
        if log_term(middle) < -_NEGLIGIBLE:
            low = middle + 1
        else:
            high = middle
    k, term = low, math.exp(log_term(low))
    total = term
    odds = hit / miss
    while total <= 1 and k < trials:
        term *= (trials - k) / (k + 1) * odds
        k += 1
        total += term
    return k
