# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readings of one assertion on all its endpoints, in bounded memory, and the one number of all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.measurement import NO_SAMPLE
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.reading import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    PRESENCE,
    compare,
    format_value,
    growth_cannot_help,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import merge

_MOST_KEPT = 1_000  # readings that only add to a number; a result shows fewer


def fits(assertion: Assertion, reading: Reading) -> bool:
    """Return whether one reading is as expected. Raises ValueError where a binomial tolerance has no range for it."""
    if assertion.tolerance.binomial:
        return reading.below > 0 and assertion.binomial_range(reading.below).contains(reading.above)
    return reading.value is not None and compare(
        assertion.op, reading.value, assertion.value, assertion.tolerance
    )


class Numbers:
    """The values of any number of readings, of which only what an assertion can need is kept."""

    def __init__(self) -> None:
        self.count = 0
        self._total: int | float = 0
        self._lowest: int | float = math.inf
        self._highest: int | float = -math.inf

    def add(self, values: Sequence[int | float]) -> None:
        """Add values."""
        if values:
            self.count += len(values)
            self._total = sum(values, self._total)
            self._lowest = min(self._lowest, *values)
            self._highest = max(self._highest, *values)

    def aggregate(self, across: str) -> int | float:
        """Return the sum, min, max, avg or spread. Except for the sum, there must be a value."""
        if across == "sum":
            return self._total
        if across == "min":
            return self._lowest
        if across == "max":
            return self._highest
        if across == "avg":
            return self._total / self.count
        largest = max(abs(self._highest), abs(self._lowest))
        return (self._highest - self._lowest) / largest if largest else 0.0


class ReadingSet:
    """The readings of an assertion.

    A fleet has millions of readings. Those that only add to a number are kept as that number, except for the first ones.
    """

    def __init__(self, assertion: Assertion) -> None:
        self.readings: list[Reading] = []
        self.numbers = Numbers()
        self.all_grow = True
        self._assertion = assertion
        self._keeps_all = (
            assertion.op in PRESENCE
            or assertion.across == "any"
            or assertion.is_histogram
            or assertion.is_ratio
        )

    @property
    def needs_only_numbers(self) -> bool:
        """Whether enough readings are kept for the result, so that further ones only add to a number."""
        return len(self.readings) >= _MOST_KEPT and not self._keeps_all and self._assertion.across != "each"

    def add_numbers(self, numbers: Sequence[int | float], grow: bool) -> None:
        """Add values of stats; `grow` is whether all are counters."""
        self.numbers.add(numbers)
        self.all_grow = self.all_grow and grow

    def add(self, readings: Sequence[Reading]) -> None:
        """Add readings; beyond the limit only those that fail are kept."""
        self.numbers.add([reading.value for reading in readings if isinstance(reading.value, (int, float))])
        self.all_grow = self.all_grow and all(reading.grows for reading in readings)
        room = _MOST_KEPT - len(self.readings)
        self.readings += readings if self._keeps_all else readings[: max(0, room)]
        if not self._keeps_all:
            self.readings += [reading for reading in readings[max(0, room) :] if self._is_needed(reading)]

    def _is_needed(self, reading: Reading) -> bool:
        if self._assertion.across == "each":
            return not fits(self._assertion, reading)
        return not isinstance(reading.value, (int, float))


def evaluate_total(verdict: Verdict, readings: list[Reading], found: ReadingSet) -> Verdict:
    """Complete a verdict by the one number of all readings: their sum, mean, spread and so on."""
    assertion = verdict.assertion
    failure, failed = _set_total(verdict, readings, found)
    if failure is not None:
        return verdict.fail(failure, failed)
    try:
        verdict.ok = _total_fits(verdict)
    except ValueError as error:
        verdict.below = 0
        text = f"{error} ({assertion.denominator_text} in total)"
        return verdict.fail(Failure("comparison", text), readings)
    if not verdict.ok:
        verdict.fail(Failure("comparison", ""), readings)
        grows = assertion.across in ("sum", "max") and bool(readings) and found.all_grow
        verdict.is_final = (
            grows
            and not assertion.is_ratio
            and growth_cannot_help(assertion.op, verdict.observed or 0, assertion.value, assertion.tolerance)
        )
    return verdict


def _set_total(
    verdict: Verdict, readings: list[Reading], found: ReadingSet
) -> tuple[Failure | None, list[Reading]]:
    """Set the number of all readings; return why there is none, and the readings that it fails for."""
    assertion = verdict.assertion
    if assertion.across == "sum" and assertion.quantile is not None:
        histograms = (reading.histogram for reading in verdict.readings if reading.histogram is not None)
        estimate = merge(histograms).quantile(assertion.quantile)
        if estimate is None:
            return Failure("comparison", NO_SAMPLE), readings
        verdict.observed, verdict.estimate = estimate.value, estimate
    elif assertion.across == "sum" and assertion.is_ratio:
        # The ratio of the sums, which is not the sum of the ratios.
        above = sum(reading.above for reading in verdict.readings)
        below = sum(reading.below for reading in verdict.readings)
        if not below:
            text = f"{assertion.denominator_text} is 0 in total, so there is no ratio to it"
            return Failure("comparison", text), readings
        verdict.observed = above / below
        if assertion.tolerance.binomial:
            verdict.above, verdict.below = above, below
    elif assertion.across == "count":
        verdict.observed = found.numbers.count + sum(isinstance(reading.value, str) for reading in readings)
    else:
        text_reading = next((reading for reading in readings if isinstance(reading.value, str)), None)
        if text_reading is not None:
            reason = f"{format_value(text_reading.value)} is text, which has no {assertion.across}"
            return Failure("comparison", reason), [text_reading]
        if not found.numbers.count and assertion.across != "sum":
            return Failure("absent", f"there are no stats to take the {assertion.across} of"), []
        verdict.observed = found.numbers.aggregate(assertion.across)
    return None, []


def _total_fits(verdict: Verdict) -> bool:
    assertion = verdict.assertion
    if assertion.tolerance.binomial:
        return verdict.below > 0 and assertion.binomial_range(verdict.below).contains(verdict.above)
    return verdict.observed is not None and compare(
        assertion.op, verdict.observed, assertion.value, assertion.tolerance
    )
