# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantiles and their error, differences and sums of histograms."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Histogram,
    HistogramError,
    from_bounds,
    from_data,
    merge,
)

BOUNDS = (1.0, 5.0, 10.0, 50.0, math.inf)
SAMPLES = st.lists(st.floats(0.01, 200), min_size=1, max_size=60)


def counted(samples: list[float]) -> Histogram:
    return from_bounds(
        [(bound, sum(sample <= bound for sample in samples)) for bound in BOUNDS], sum(samples)
    )


@given(SAMPLES, st.floats(0, 1))
def test_exact_quantile_is_within_the_error(samples: list[float], share: float) -> None:
    estimate = counted(samples).quantile(share)
    assert estimate is not None
    position = max(math.ceil(share * len(samples) - 1e-9) - 1, 0)
    assert estimate.low <= sorted(samples)[position] <= estimate.high
    assert estimate.low <= estimate.value <= estimate.high


@given(SAMPLES, st.floats(0, 250))
def test_exact_count_is_within_the_error(samples: list[float], bound: float) -> None:
    estimate = counted(samples).at_most(bound)
    assert estimate.low <= sum(sample <= bound for sample in samples) <= estimate.high
    assert estimate.low <= estimate.value <= estimate.high


def in_bins(samples: list[int]) -> Histogram:
    """Return the histogram as Envoy records it: in bins of two digits that include their lower bound."""
    counts: dict[tuple[float, float], int] = {}
    for sample in samples:
        width = 10 ** (len(str(sample)) - 2) if sample else 0
        lower = sample - sample % width if width >= 1 else sample
        counts[lower, lower + width] = counts.get((lower, lower + width), 0) + 1
    bins = tuple((lower, upper, count) for (lower, upper), count in sorted(counts.items()))
    return Histogram(bins, lower_inclusive=True)


WHOLE = st.lists(st.integers(0, 20_000), max_size=40)


@given(WHOLE, WHOLE, st.one_of(st.integers(0, 25_000), st.floats(0, 25_000)))
def test_exact_count_of_integers_is_within_the_error(
    before: list[int], since: list[int], bound: float
) -> None:
    difference = in_bins(before + since).minus(from_data(in_bins(before).as_data()))
    for histogram, samples in ((in_bins(before), before), (difference, since)):
        estimate = histogram.at_most(bound)
        exact = sum(sample <= bound for sample in samples)
        assert estimate.low <= exact <= estimate.high
        assert estimate.low <= estimate.value <= estimate.high
        if bound < 100:  # a bin of width 1 contains one integer
            assert estimate.value == exact
            assert estimate.error == 0


def test_bound_counts_a_whole_bin_as_envoy_does() -> None:
    """Envoy 1.40 counts in le="100" the whole bin that begins at 100, with the sample 105."""
    histogram = in_bins([10] * 11 + [100, 100, 105])
    assert [histogram.at_most(bound).value for bound in (9, 10, 99, 100)] == [0, 11, 11, 14]
    assert histogram.at_most(10).error == 0
    at_100 = histogram.at_most(100)
    assert (at_100.low, at_100.high, at_100.error) == (11, 14, 3)


@given(SAMPLES, SAMPLES)
def test_difference_has_the_later_samples(before: list[float], since: list[float]) -> None:
    difference = counted(before + since).minus(counted(before))
    assert [bucket[2] for bucket in difference.buckets] == [bucket[2] for bucket in counted(since).buckets]
    assert difference.total == pytest.approx(sum(since))
    merged = merge([counted(before), counted(since)])
    assert merged.buckets == counted(before + since).buckets


@given(SAMPLES)
def test_histogram_is_read_back_from_data(samples: list[float]) -> None:
    histogram = counted(samples)
    assert from_data(histogram.as_data()).quantile(0.5) == histogram.quantile(0.5)
    assert from_data(histogram.as_data()).count == len(samples)


def test_quantiles_of_known_buckets() -> None:
    histogram = Histogram(((0, 10, 10), (10, 20, 80), (20, 30, 10)))
    assert histogram.quantile(0.5) is not None
    assert histogram.quantile(0.5).value == 15  # type: ignore[union-attr]
    assert histogram.quantile(0.99).value == pytest.approx(29)  # type: ignore[union-attr]
    assert histogram.quantile(0.99).error == pytest.approx(9)  # type: ignore[union-attr]
    assert Histogram(()).quantile(0.5) is None
    assert statistics.mean([histogram.count, 100]) == 100


def test_quantile_in_the_last_bucket_has_no_error() -> None:
    estimate = from_bounds([(1, 0), (math.inf, 5)]).quantile(0.5)
    assert estimate is not None
    assert (estimate.value, estimate.error) == (1, None)


def test_difference_after_a_reset_is_refused() -> None:
    with pytest.raises(HistogramError, match="fewer"):
        counted([1.0]).minus(counted([1.0, 2.0]))
    with pytest.raises(HistogramError, match="buckets"):
        Histogram(((0, 1, 1),)).minus(Histogram(((0, 2, 1),)))
    with pytest.raises(HistogramError, match="decrease"):
        from_bounds([(1, 5), (2, 4)])
