# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the choice of demos: no demo and no platform is left out for long."""

from __future__ import annotations

import pytest
from rotation import cases_of_week, names_of_week, platforms_of_week

SUPPORTED = {
    "cors": ("local", "docker", "kubernetes"),
    "gzip": ("local", "docker", "kubernetes"),
    "udp": ("local", "docker"),
    "tap": ("docker",),
}


def test_each_demo_runs_on_each_platform_within_three_weeks() -> None:
    runs = [platforms_of_week(SUPPORTED, week) for week in range(2893, 2896)]
    assert all(run.keys() == SUPPORTED.keys() for run in runs)
    assert {name: {run[name] for run in runs} for name in SUPPORTED} == {
        name: {*platforms} for name, platforms in SUPPORTED.items()
    }


def test_each_demo_of_a_half_has_its_turn_within_twelve_weeks() -> None:
    played = {
        name
        for week in range(2893, 2905)
        for name, platform in platforms_of_week(SUPPORTED, week).items()
        if platform == "docker" and name in names_of_week([*SUPPORTED], 2, week // 6)
    }
    assert played == set(SUPPORTED)


def test_each_name_has_its_turn_once() -> None:
    turns = [names_of_week([*SUPPORTED], 3, week) for week in range(2893, 2896)]
    assert sorted(name for turn in turns for name in turn) == sorted(SUPPORTED)


def test_the_others_are_slow() -> None:
    [cors, gzip, udp, tap] = cases_of_week([*SUPPORTED], 2, week=2893)
    assert [cors.values, gzip.values] == [("cors",), ("gzip",)]
    assert [cors.marks, udp.marks] == [(pytest.mark.slow,)] * 2
    assert [gzip.marks, tap.marks] == [()] * 2
