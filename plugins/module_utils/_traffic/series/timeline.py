# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers and errors for each second of a traffic. A long traffic has intervals of several seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.value_counts import count_value

MAX_INTERVALS = 600
MAX_VALUES = 20  # different values of a header in an interval
NO_VALUE = "(none)"


class TimelineEntry(TypedDict):
    """What came of the requests that ended in one interval, as modules return it."""

    second: int  # from the first request to the start of the interval
    requests: int
    failed: int  # without an answer, or with a status of 500 and above
    by_status: dict[str, int]
    by_header: dict[str, dict[str, int]]


@dataclass
class _Interval:
    failed: int = 0
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    headers: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, other: _Interval) -> None:
        self.failed += other.failed
        self.requests += other.requests
        self.statuses.update(other.statuses)
        for name, values in other.headers.items():
            self.headers.setdefault(name, Counter()).update(values)


class Timeline:
    """Counts by interval. Its width is one second, and doubles when a traffic has more than MAX_INTERVALS intervals.

    Example:
        >>> timeline = Timeline()
        >>> timeline.answer(0.2, 200, {"x-app-version": "v2"})
        >>> timeline.failure(1.4)
        >>> [(one["second"], one["requests"], one["failed"]) for one in timeline.as_data()]
        [(0, 1, 0), (1, 1, 1)]
    """

    def __init__(self) -> None:
        self.width = 1  # seconds
        self._intervals: dict[int, _Interval] = {}

    def answer(self, seconds: float, status: int | None, headers: Mapping[str, str]) -> None:
        """Count an answer that ended this many seconds after the first request began, with these headers."""
        interval = self._at(seconds)
        interval.requests += 1
        if status is not None:
            interval.statuses[str(status)] += 1
            interval.failed += status >= 500
        for name, value in headers.items():
            count_value(interval.headers.setdefault(name, Counter()), value, MAX_VALUES)

    def failure(self, seconds: float) -> None:
        """Count a request without a complete answer."""
        interval = self._at(seconds)
        interval.requests += 1
        interval.failed += 1

    def add(self, other: Timeline) -> None:
        """Add what another sender counted."""
        while self.width < other.width:
            self._double()
        for second, interval in other._intervals.items():
            self._at(second * other.width).add(interval)

    def as_data(self) -> list[TimelineEntry]:
        """Return the intervals in their order, with those between the first and the last in which no request ended."""
        if not self._intervals:
            return []
        found = (
            (number, self._intervals.get(number, _Interval())) for number in range(max(self._intervals) + 1)
        )
        return [
            {
                "second": number * self.width,
                "requests": interval.requests,
                "failed": interval.failed,
                "by_status": dict(sorted(interval.statuses.items())),
                "by_header": {name: _sorted(values) for name, values in sorted(interval.headers.items())},
            }
            for number, interval in found
        ]

    def _at(self, seconds: float) -> _Interval:
        while seconds >= MAX_INTERVALS * self.width:
            self._double()
        return self._intervals.setdefault(int(max(seconds, 0)) // self.width, _Interval())

    def _double(self) -> None:
        earlier, self._intervals, self.width = self._intervals, {}, self.width * 2
        for number, interval in earlier.items():
            self._intervals.setdefault(number // 2, _Interval()).add(interval)


def _sorted(values: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(values.items()))


def timeline_of(entries: Iterable[TimelineEntry], width: int) -> Timeline:
    """Return the timeline of another process from its data.

    Args:
        entries: What as_data returns.
        width: The width of its intervals.
    """
    timeline = Timeline()
    timeline.width = width
    for entry in entries:
        interval = timeline._at(entry["second"])
        interval.requests, interval.failed = entry["requests"], entry["failed"]
        interval.statuses = Counter(entry["by_status"])
        interval.headers = {name: Counter(values) for name, values in entry["by_header"].items()}
    return timeline


def joined(timelines: Iterable[Timeline]) -> Timeline:
    """Return the sum of the timelines of all senders."""
    total = Timeline()
    for one in timelines:
        total.add(one)
    return total
