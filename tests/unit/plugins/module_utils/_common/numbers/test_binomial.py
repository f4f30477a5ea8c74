# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounds of a binomial distribution, compared with exact sums of fractions."""

from __future__ import annotations

import math
import random
import time
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.binomial import (
    MOST_TRIALS,
    bounds,
)

TRIALS = st.integers(1, 60)
# Of 1,024, so that 1 - p is as exact as p.
PROBABILITIES = st.integers(1, 1023).map(lambda part: part / 1024)
ALARMS = st.sampled_from([0.5, 0.1, 0.05, 0.01, 1e-3, 1e-6, 1e-9, 1e-15])


def terms(trials: int, probability: float) -> list[Fraction]:
    """Return P(X = 0) … P(X = trials)."""
    picked = Fraction(probability)
    return [math.comb(trials, k) * picked**k * (1 - picked) ** (trials - k) for k in range(trials + 1)]


def clear(tails: list[Fraction], tail: Fraction) -> bool:
    """Return whether no sum is so near to the bound that rounding decides."""
    return all(abs(one - tail) > tail / 10**9 for one in tails)


@given(TRIALS, PROBABILITIES, ALARMS)
def test_bounds_are_those_of_exact_sums(trials: int, probability: float, alarm: float) -> None:
    all_terms, tail = terms(trials, probability), Fraction(alarm) / 2
    below = [sum(all_terms[: k + 1], Fraction()) for k in range(trials + 1)]
    above = [sum(all_terms[k:], Fraction()) for k in range(trials + 1)]
    assume(clear([*below, *above], tail))
    fewest = next(k for k in range(trials + 1) if below[k] > tail)
    most = next(k for k in range(trials, -1, -1) if above[k] > tail)
    assert bounds(trials, probability, probability, alarm) == (fewest, most)


@given(TRIALS, PROBABILITIES, ALARMS)
def test_false_alarms_are_rare_and_bounds_are_tight(trials: int, probability: float, alarm: float) -> None:
    all_terms, tail = terms(trials, probability), Fraction(alarm) / 2
    assume(clear([sum(all_terms[:k], Fraction()) for k in range(trials + 2)], tail))
    assume(clear([sum(all_terms[k:], Fraction()) for k in range(trials + 2)], tail))
    fewest, most = bounds(trials, probability, probability, alarm)
    assert fewest <= most
    assert sum(all_terms[:fewest]) + sum(all_terms[most + 1 :]) <= Fraction(alarm)
    assert sum(all_terms[: fewest + 1]) > tail
    assert sum(all_terms[most:]) > tail


@given(st.integers(0, 10**6), PROBABILITIES, ALARMS)
def test_bounds_of_misses_mirror_those_of_hits(trials: int, probability: float, alarm: float) -> None:
    fewest, most = bounds(trials, probability, probability, alarm)
    assert bounds(trials, 1 - probability, 1 - probability, alarm) == (trials - most, trials - fewest)
    assert bounds(trials, 0, probability, alarm) == (
        0,
        trials - bounds(trials, 1 - probability, 1, alarm)[0],
    )


@given(st.integers(1, 10**6), PROBABILITIES, PROBABILITIES, ALARMS, ALARMS)
def test_bounds_grow_with_probability_alarm_and_trials(
    trials: int, one: float, other: float, alarm: float, rarer: float
) -> None:
    low, high = sorted((one, other))
    few, many = bounds(trials, low, low, alarm), bounds(trials, high, high, alarm)
    assert few[0] <= many[0]
    assert few[1] <= many[1]
    assert bounds(trials, low, high, alarm) == (few[0], many[1])
    rarer, alarm = sorted((alarm, rarer))
    strict, generous = bounds(trials, low, low, alarm), bounds(trials, low, low, rarer)
    assert generous[0] <= strict[0] <= strict[1] <= generous[1]
    more = bounds(trials + 1, low, low, alarm)
    assert strict[0] <= more[0] <= strict[0] + 1
    assert strict[1] <= more[1] <= strict[1] + 1


@given(st.integers(0, 10**9), ALARMS)
def test_certain_events_have_one_number(trials: int, alarm: float) -> None:
    assert bounds(trials, 0, 0, alarm) == (0, 0)
    assert bounds(trials, 1, 1, alarm) == (trials, trials)
    assert bounds(trials, 0, 1, alarm) == (0, trials)


@pytest.mark.parametrize("probability", [0.5, 0.1, 0.001])
def test_many_trials_approach_the_normal_distribution(probability: float) -> None:
    trials, alarm = 10**8, 1e-6
    deviation = math.sqrt(trials * probability * (1 - probability))
    away = -NormalDist().inv_cdf(alarm / 2) * deviation
    fewest, most = bounds(trials, probability, probability, alarm)
    assert fewest == pytest.approx(trials * probability - away, abs=0.02 * deviation)
    assert most == pytest.approx(trials * probability + away, abs=0.02 * deviation)


def test_rare_events_approach_the_poisson_distribution() -> None:
    """Expect 100 of 10**12: the binomial distribution is Poisson's, whose tail the test sums."""
    mean, alarm = 100.0, 1e-6
    fewest, most = bounds(10**12, 1e-10, 1e-10, alarm)
    term = [math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(400)]
    assert math.fsum(term[:fewest]) <= alarm / 2 < math.fsum(term[: fewest + 1])
    assert math.fsum(term[most + 1 :]) <= alarm / 2 < math.fsum(term[most:])


def test_random_draws_are_outside_as_often_as_expected() -> None:
    chance = random.Random(4)
    fewest, most = bounds(200, 0.1, 0.1, 0.05)
    draws = [sum(chance.random() < 0.1 for _one in range(200)) for _run in range(2_000)]
    outside = sum(not fewest <= one <= most for one in draws)
    assert 0 < outside <= bounds(2_000, 0, 0.05, 1e-6)[1]


def test_a_million_trials_are_fast() -> None:
    began = time.process_time()
    for part in range(1, 100):
        bounds(10**6, part / 100, part / 100, 1e-6)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((-1, 0.1, 0.1, 1e-6), "is not a number of trials"),
        ((MOST_TRIALS + 1, 0.1, 0.1, 1e-6), "is not a number of trials"),
        ((10, -0.1, 0.1, 1e-6), "are not two probabilities"),
        ((10, 0.2, 0.1, 1e-6), "are not two probabilities"),
        ((10, 0.1, 1.1, 1e-6), "are not two probabilities"),
        ((10, math.nan, 0.1, 1e-6), "are not two probabilities"),
        ((10, 0.1, 0.1, 0), "is not a probability above 0"),
        ((10, 0.1, 0.1, 1), "is not a probability above 0"),
    ],
)
def test_arguments_outside_of_their_range_are_refused(
    arguments: tuple[int, float, float, float], error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        bounds(*arguments)


def test_one_sided_range_has_the_whole_false_alarm() -> None:
    _fewest, both = bounds(10_000, 0.5, 0.5, 0.05)
    assert bounds(10_000, 0, 0.5, 0.05) == (0, bounds(10_000, 0.5, 0.5, 0.1)[1])
    assert bounds(10_000, 0, 0.5, 0.05)[1] < both
