# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the times at which an open loop sends."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.arrivals import (
    Phase,
    arrivals,
    evenly,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import Schedule
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def test_number_of_requests_is_the_area_below_the_rate() -> None:
    times = list(arrivals([Phase(2, 100, 100), Phase(3, 100, 500), Phase(1, 500, 500)]))
    assert len(times) == 200 + 900 + 500
    assert times == sorted(times)
    assert sum(2 <= one < 5 for one in times) == pytest.approx(900, abs=1)
    assert sum(2 <= one < 3.5 for one in times) == pytest.approx(1.5 * (100 + 300) / 2, abs=1)


def test_falling_rate_ends_with_its_phase() -> None:
    times = list(arrivals([Phase(2, 10, 1)]))
    assert (len(times), times[-1] < 2) == (11, True)


def test_even_times_do_not_drift() -> None:
    assert next(itertools.islice(evenly(3), 3_000_000, None)) == 1_000_000


def test_processes_divide_the_requests() -> None:
    [traffic] = parse_traffic([{"url": "http://a", "phases": [{"duration": 1, "rate": 7}]}])
    found = []
    for number in range(3):
        schedule = Schedule(traffic, share=(number, 3))
        while (due := schedule.take_next()) is not None:
            found.append(round((due - schedule.started) * 7))
    assert sorted(found) == list(range(7))


def test_due_times_do_not_wait_for_answers() -> None:
    [traffic] = parse_traffic([{"url": "http://a", "rate": 10, "requests": 3, "warm_up": 0.15}])
    schedule = Schedule(traffic)
    offsets = [round(schedule.take_next() - schedule.started, 3) for _request in range(3)]  # type: ignore[operator]
    assert (offsets, schedule.take_next()) == ([0.0, 0.1, 0.2], None)
    assert schedule.counted_from == schedule.started + 0.15
