# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms as buckets: what can be subtracted, added up and asked for a quantile, with the error that the buckets' width leaves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Bucket = tuple[float, float, float]  # from, up to, how many


class HistogramError(ValueError):
    """Two histograms that do not belong together, or one that went backwards."""


@dataclass(frozen=True)
class Estimate:
    """A number read from buckets: it lies between `low` and `high`, and most likely near `value`."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float | None:
        """How far off `value` may be; None where the last bucket has no end."""
        furthest = max(self.high - self.value, self.value - self.low)
        return None if math.isinf(furthest) else furthest


@dataclass(frozen=True)
class Histogram:
    """Samples per bucket, in order; a bucket without samples may be left out."""

    buckets: tuple[Bucket, ...]
    total: float | None = None  # the sum of all samples, where it was given
    lower_inclusive: bool = False  # a bucket holds its lower end, as Envoy's bins do, and not its upper one

    @property
    def count(self) -> float:
        return sum(bucket[2] for bucket in self.buckets)

    def quantile(self, share: float) -> Estimate | None:
        """The value that `share` (0 to 1) of the samples do not exceed; None without samples."""
        wanted = share * self.count
        before = 0.0
        for lower, upper, count in self.buckets:
            if count and before + count >= wanted:
                if math.isinf(upper):
                    return Estimate(lower, lower, upper)
                if math.isinf(lower):
                    return Estimate(upper, lower, upper)
                return Estimate(lower + (upper - lower) * (wanted - before) / count, lower, upper)
            before += count
        return None

    def at_most(self, bound: float) -> Estimate:
        """How many samples are at most `bound`.

        Of a bin that begins at the bound all are counted, as by Envoy in Prometheus' format; how many of them are more is the error.
        """
        sure, perhaps, share = 0.0, 0.0, 0.0
        for lower, upper, count in self.buckets:
            if upper <= bound or (lower <= bound and self._holds_one_value(lower, upper)):
                sure += count
            elif lower == bound and self.lower_inclusive:
                perhaps += count
                share += count
            elif lower < bound:
                perhaps += count
                finite = not (math.isinf(upper) or math.isinf(lower))
                share += count * (bound - lower) / (upper - lower) if finite else 0.0
        return Estimate(sure + share, sure, sure + perhaps)

    def _holds_one_value(self, lower: float, upper: float) -> bool:
        """Envoy records whole numbers: in a bin that begins at one and is no wider than 1 there is no other."""
        return self.lower_inclusive and upper - lower <= 1 and lower % 1 == 0

    def minus(self, earlier: Histogram) -> Histogram:
        """The samples since an earlier histogram of the same thing."""
        before = {bucket[:2]: bucket[2] for bucket in earlier.buckets}
        left: list[Bucket] = []
        for lower, upper, count in self.buckets:
            difference = count - before.pop((lower, upper), 0)
            if difference < 0:
                raise HistogramError("it has fewer samples than before")
            left.append((lower, upper, difference))
        if any(before.values()):
            raise HistogramError("its buckets are others than before, or it has fewer samples")
        total = None if self.total is None or earlier.total is None else self.total - earlier.total
        return Histogram(tuple(left), total, self.lower_inclusive)

    def as_data(self) -> dict[str, Any]:
        """JSON-able; a bucket without an end has null there."""
        buckets = [[_finite(lower), _finite(upper), count] for lower, upper, count in self.buckets if count]
        return {
            "buckets": buckets,
            "count": self.count,
            **({} if self.total is None else {"sum": self.total}),
            **({"lower_inclusive": True} if self.lower_inclusive else {}),
        }


def together(histograms: Iterable[Histogram]) -> Histogram:
    """The samples of several histograms as one."""
    counts: dict[tuple[float, float], float] = {}
    totals: list[float | None] = []
    lower_inclusive: list[bool] = []
    for histogram in histograms:
        totals.append(histogram.total)
        lower_inclusive.append(histogram.lower_inclusive)
        for lower, upper, count in histogram.buckets:
            counts[lower, upper] = counts.get((lower, upper), 0) + count
    total = None if not totals or None in totals else sum(one for one in totals if one is not None)
    buckets = tuple((lower, upper, count) for (lower, upper), count in sorted(counts.items()))
    return Histogram(buckets, total, bool(lower_inclusive) and all(lower_inclusive))


def from_bounds(bounds: Sequence[tuple[float, float]], total: float | None = None) -> Histogram:
    """From cumulative counts by upper bound (`le`), as Prometheus has them."""
    buckets: list[Bucket] = []
    lower, before = -math.inf, 0.0
    for upper, cumulative in sorted(bounds):
        if cumulative < before:
            raise HistogramError("its cumulative buckets decrease")
        # What is measured is not negative where the first bound is not.
        start = 0.0 if math.isinf(lower) and upper > 0 else lower
        buckets.append((start, upper, cumulative - before))
        lower, before = upper, cumulative
    return Histogram(tuple(buckets), total)


def from_data(data: Mapping[str, Any]) -> Histogram:
    """Back from `as_data`."""
    buckets = tuple(
        (
            -math.inf if lower is None else float(lower),
            math.inf if upper is None else float(upper),
            float(count),
        )
        for lower, upper, count in data["buckets"]
    )
    total = data.get("sum")
    return Histogram(buckets, None if total is None else float(total), bool(data.get("lower_inclusive")))


def _finite(bound: float) -> float | None:
    return None if math.isinf(bound) else bound
