# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the numbers of a traffic over time."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.timeline import (
    MAX_INTERVALS,
    MAX_VALUES,
    Timeline,
    joined,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.value_counts import OTHER


def test_senders_are_added_up_by_second() -> None:
    one, other = Timeline(), Timeline()
    one.answer(0.1, 200, {"x-app-version": "v1"})
    one.answer(2.9, 503, {"x-app-version": "v2"})
    other.answer(0.9, 200, {"x-app-version": "v2"})
    other.failure(2.0)
    assert joined([one, other]).as_data() == [
        {
            "second": 0,
            "requests": 2,
            "failed": 0,
            "by_status": {"200": 2},
            "by_header": {"x-app-version": {"v1": 1, "v2": 1}},
        },
        {"second": 1, "requests": 0, "failed": 0, "by_status": {}, "by_header": {}},
        {
            "second": 2,
            "requests": 2,
            "failed": 2,
            "by_status": {"503": 1},
            "by_header": {"x-app-version": {"v2": 1}},
        },
    ]


def test_long_traffic_has_wider_intervals_and_loses_no_request() -> None:
    long, short = Timeline(), Timeline()
    for second in range(3 * MAX_INTERVALS):
        long.answer(second, 200, {})
    short.failure(0.5)
    entries = joined([short, long]).as_data()
    assert len(entries) <= MAX_INTERVALS
    assert sum(one["requests"] for one in entries) == 3 * MAX_INTERVALS + 1
    assert [one["second"] for one in entries[:3]] == [0, 4, 8]
    assert entries[0]["failed"] == 1


def test_values_of_a_header_are_bounded() -> None:
    timeline = Timeline()
    for number in range(3 * MAX_VALUES):
        timeline.answer(0, 200, {"x-id": str(number)})
    [entry] = timeline.as_data()
    assert len(entry["by_header"]["x-id"]) == MAX_VALUES + 1
    assert entry["by_header"]["x-id"][OTHER] == 2 * MAX_VALUES


def test_timeline_without_requests_is_empty() -> None:
    assert Timeline().as_data() == []
