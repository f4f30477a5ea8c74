# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distribution of latencies: counts of buckets whose bounds grow by a tenth of a decade, about 26 %."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

PER_DECADE = 10
SMALLEST = 0.01  # milliseconds; the upper bound of the first bucket


def latency_histogram(milliseconds: Iterable[float]) -> list[list[float]]:
    """Return the upper bound in milliseconds and the number of latencies of each bucket that has some, in ascending order.

    Example:
        >>> latency_histogram([0.9, 1.0, 1.1, 40])
        [[1.0, 2], [1.259, 1], [50.119, 1]]
    """
    counts = Counter(map(_bucket, milliseconds))
    return [[bucket_bound(number), count] for number, count in sorted(counts.items())]


def bucket_bound(number: int) -> float:
    """Return the upper bound of a bucket in milliseconds."""
    return round(SMALLEST * 10 ** (number / PER_DECADE), 3)


def _bucket(latency: float) -> int:
    if latency <= SMALLEST:
        return 0
    number = max(0, math.ceil(PER_DECADE * math.log10(latency / SMALLEST)) - 1)
    # The bounds are rounded, and so is the logarithm.
    while bucket_bound(number) < latency:
        number += 1
    return number
