# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the growth of a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from growth import Growth, against_linear, linear, read


def test_linear_growth_with_a_fixed_part_is_one() -> None:
    points = [(size, 2.0 + 0.1 * size) for size in (1, 5, 10, 25)]
    assert against_linear(points) == pytest.approx(1.0)
    assert linear("deploy", points).result == "within bound"


def test_quadratic_growth_misses_the_bound() -> None:
    points = [(size, 0.01 * size**2) for size in (10, 100, 300, 1000)]
    assert linear("planner", points).result == "MISSED"
    assert linear("planner", points).name == "growth of planner"


def test_decreasing_times_predict_the_last_of_them() -> None:
    assert against_linear([(1, 3.0), (5, 2.0), (10, 1.0), (25, 2.0)]) == pytest.approx(2.0)


def test_written_growth_is_read_again(tmp_path: Path) -> None:
    growth = Growth("Seconds", ("services", "seconds"), {"local": [(1.0, 2.0), (5.0, 3.0)]})
    growth.write("deploy", tmp_path / "growth")
    assert read(tmp_path / "growth" / "deploy.json") == growth
    assert (tmp_path / "growth" / "deploy.svg").read_text(encoding="utf-8") == growth.chart()
