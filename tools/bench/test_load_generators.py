# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the comparison of load generators, without a load."""

from __future__ import annotations

import pytest
from load_generators import Load, check_counts, middle, quantile
from measure import MeasurementError

LOAD = Load(succeeded=90, failed=10, processor=0.5, p50=1, p99=2)


def test_rate_is_that_of_processor_time() -> None:
    assert LOAD.rate == 200


def test_quantile_has_the_nearest_rank() -> None:
    values = list(range(1, 101))
    assert [quantile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]


def test_middle_has_the_median_p99() -> None:
    assert middle([Load(1, 0, 1, 1, p99) for p99 in (9, 1, 5)]).p99 == 5


@pytest.mark.parametrize(
    ("own", "other", "counted"),
    [
        (Load(10, 1, 1, 1, 1), Load(10, 0, 1, 1, 1), 20),
        (Load(10, 0, 1, 1, 1), Load(9, 1, 1, 1, 1), 20),
        (Load(10, 0, 1, 1, 1), Load(10, 0, 1, 1, 1), 19),
    ],
)
def test_different_counts_are_an_error(own: Load, other: Load, counted: int) -> None:
    check_counts(Load(10, 0, 1, 1, 1), Load(10, 0, 1, 1, 1), 20)
    with pytest.raises(MeasurementError, match="http_traffic counts 10 responses"):
        check_counts(own, other, counted)
