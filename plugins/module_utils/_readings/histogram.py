# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms as buckets: differences, sums, quantiles and counts, each with the error that the width of the buckets causes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Bucket = tuple[float, float, float]  # lower bound, upper bound, number of samples


class HistogramError(ValueError):
    """Two histograms have different buckets, or a count decreased."""


@dataclass(frozen=True)
class Estimate:
    """An estimate from buckets: the exact number is between `low` and `high`."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float | None:
        """Return the largest possible distance of the exact number from `value`; None if the bucket has no upper bound."""
        furthest = max(self.high - self.value, self.value - self.low)
        return None if math.isinf(furthest) else furthest


@dataclass(frozen=True)
class Histogram:
    """The number of samples of each bucket. A bucket without samples can be missing."""

    buckets: tuple[Bucket, ...]
    """Sorted by their bounds."""
    total: float | None = None
    """The sum of all samples; None if it is not known."""
    lower_inclusive: bool = False
    """Whether a bucket includes its lower bound, as in Envoy's JSON, instead of its upper bound, as in Prometheus' format."""

    @property
    def count(self) -> float:
        """Return the number of samples."""
        return sum(bucket[2] for bucket in self.buckets)

    def quantile(self, share: float) -> Estimate | None:
        """Return the value that a share (0 to 1) of the samples does not exceed; None without samples."""
        rank = share * self.count
        before = 0.0
        for lower, upper, count in self.buckets:
            if count and before + count >= rank:
                if math.isinf(upper):
                    return Estimate(lower, lower, upper)
                if math.isinf(lower):
                    return Estimate(upper, lower, upper)
                return Estimate(lower + (upper - lower) * (rank - before) / count, lower, upper)
            before += count
        return None

    def at_most(self, bound: float) -> Estimate:
        """Return how many samples are at most `bound`.

        A bin that begins at the bound is counted as a whole, as Envoy does in Prometheus' format; the error is its number of samples.
        """
        certain, possible, share = 0.0, 0.0, 0.0
        for lower, upper, count in self.buckets:
            if upper <= bound or (lower <= bound and self._holds_one_value(lower, upper)):
                certain += count
            elif lower == bound and self.lower_inclusive:
                possible += count
                share += count
            elif lower < bound:
                possible += count
                finite = not (math.isinf(upper) or math.isinf(lower))
                share += count * (bound - lower) / (upper - lower) if finite else 0.0
        return Estimate(certain + share, certain, certain + possible)

    def _holds_one_value(self, lower: float, upper: float) -> bool:
        """Return whether all samples of a bin are equal: Envoy records integers, and the bin contains one of them."""
        return self.lower_inclusive and upper - lower <= 1 and lower % 1 == 0

    def minus(self, earlier: Histogram) -> Histogram:
        """Return the samples since an earlier histogram of the same stat. Raises HistogramError."""
        before = {bucket[:2]: bucket[2] for bucket in earlier.buckets}
        left: list[Bucket] = []
        for lower, upper, count in self.buckets:
            difference = count - before.pop((lower, upper), 0)
            if difference < 0:
                raise HistogramError("the histogram has fewer samples than before")
            left.append((lower, upper, difference))
        if any(before.values()):
            raise HistogramError("the histogram has other buckets or fewer samples than before")
        total = None if self.total is None or earlier.total is None else self.total - earlier.total
        return Histogram(tuple(left), total, self.lower_inclusive)

    def as_data(self) -> dict[str, Any]:
        """Return the data for JSON; an infinite bound is null."""
        buckets = [[_finite(lower), _finite(upper), count] for lower, upper, count in self.buckets if count]
        return {
            "buckets": buckets,
            "count": self.count,
            **({} if self.total is None else {"sum": self.total}),
            **({"lower_inclusive": True} if self.lower_inclusive else {}),
        }


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Return one histogram with the samples of all."""
    counts: dict[tuple[float, float], float] = {}
    totals: list[float | None] = []
    lower_inclusive: list[bool] = []
    for histogram in histograms:
        totals.append(histogram.total)
        lower_inclusive.append(histogram.lower_inclusive)
        for lower, upper, count in histogram.buckets:
            counts[lower, upper] = counts.get((lower, upper), 0) + count
    total = None if not totals or None in totals else sum(each for each in totals if each is not None)
    buckets = tuple((lower, upper, count) for (lower, upper), count in sorted(counts.items()))
    return Histogram(buckets, total, bool(lower_inclusive) and all(lower_inclusive))


def from_bounds(bounds: Sequence[tuple[float, float]], total: float | None = None) -> Histogram:
    """Return the histogram with these cumulative counts by upper bound (`le`), as in Prometheus' format. Raises HistogramError."""
    buckets: list[Bucket] = []
    lower, before = -math.inf, 0.0
    for upper, cumulative in sorted(bounds):
        if cumulative < before:
            raise HistogramError("the cumulative counts decrease")
        # Samples are taken to be positive if the first bound is.
        start = 0.0 if math.isinf(lower) and upper > 0 else lower
        buckets.append((start, upper, cumulative - before))
        lower, before = upper, cumulative
    return Histogram(tuple(buckets), total)


def from_data(data: Mapping[str, Any]) -> Histogram:
    """Return the histogram in the data that `as_data` returned."""
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
