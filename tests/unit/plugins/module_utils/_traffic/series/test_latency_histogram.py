# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the distribution of latencies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.latency_histogram import (
    bucket_bound,
    latency_histogram,
)


@given(st.lists(st.floats(0, 4_000_000)))
def test_each_latency_is_at_most_the_bound_of_its_bucket(latencies: list[float]) -> None:
    found = latency_histogram(latencies)
    bounds = [bound for bound, _count in found]
    assert bounds == sorted(set(bounds))
    for bound in bounds:
        assert sum(count for one, count in found if one <= bound) == sum(
            latency <= bound for latency in latencies
        )


def test_bounds_grow_by_a_tenth_of_a_decade() -> None:
    assert [bucket_bound(number) for number in (20, 21, 30)] == [1.0, 1.259, 10.0]
