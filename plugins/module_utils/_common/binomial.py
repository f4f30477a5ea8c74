# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of n chance may pick where each is picked with the same probability: from the binomial distribution itself.

No approximation by the normal distribution, whose bounds are wrong where they matter: for few trials and for small probabilities.
"""

from __future__ import annotations

import math

# Up to here a sum takes less than a second, and log-gamma leaves a probability right to a hundredth.
MOST_TRIALS = 10**12
# How much smaller than all that matters the terms are that are left out, as a power of e: with 10**12 of them, 10**-14.
_NEGLIGIBLE = 60.0


def bounds(trials: int, lowest: float, highest: float, false_alarm: float) -> tuple[int, int]:
    """Return the fewest and the most picked of `trials` that chance explains where each is picked with `lowest` to `highest`.

    If that is how they are picked, anything else is seen at most once in 1 / `false_alarm` times: half of that is given to either
    side, or all of it to one where the other has no bound (`lowest` 0, or `highest` 1). Nothing is left to chance by a
    probability of exactly 0 or 1. Raises ValueError for what is no probability, and for more trials than MOST_TRIALS.
    """
    if not 0 <= trials <= MOST_TRIALS:
        raise ValueError(f"{trials} is no number of trials from 0 to {MOST_TRIALS}")
    if not 0 <= lowest <= highest <= 1:
        raise ValueError(f"{lowest} and {highest} are no probabilities from 0 to 1, the lower one first")
    if not 0 < false_alarm < 1:
        raise ValueError(f"{false_alarm} is no probability above 0 and below 1")
    two_sides = lowest > 0 and highest < 1
    tail = false_alarm / 2 if two_sides else false_alarm
    fewest = _fewest(trials, lowest, 1 - lowest, tail)
    most = trials - _fewest(trials, 1 - highest, highest, tail)
    return fewest, most


def _fewest(trials: int, picked: float, left: float, tail: float) -> int:
    """Return the smallest k with P(X ≤ k) > `tail`: to see fewer than k is as improbable as that, or more so.

    `picked` and `left` add up to 1; both are given, so that neither loses digits as the complement of the other.
    """
    if picked == 0:
        return 0
    if left == 0:
        return trials
    log_picked, log_left, log_tail = math.log(picked), math.log(left), math.log(tail)
    everything = math.lgamma(trials + 1)

    def log_term(k: int) -> float:
        """The logarithm of P(X = k), in units of `tail`."""
        ways = everything - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        return ways + k * log_picked + (trials - k) * log_left - log_tail

    # Terms grow up to the most probable one. Those that are negligible in sum are found by bisection and left out.
    low, high = 0, min(trials, math.floor((trials + 1) * picked))
    while low < high:
        middle = (low + high) // 2
        if log_term(middle) < -_NEGLIGIBLE:
            low = middle + 1
        else:
            high = middle
    k, term = low, math.exp(log_term(low))
    total = term
    odds = picked / left
    while total <= 1 and k < trials:
        term *= (trials - k) / (k + 1) * odds
        k += 1
        total += term
    return k
