# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the figures of the planner."""

from __future__ import annotations

import pytest
from measure import MeasurementError
from planner_growth import cpu_seconds, figure


def test_figure_is_milliseconds_for_each_service() -> None:
    found = figure("docker", {10: 0.1, 1_000: 4.0})
    assert (found.ratio, found.result) == (4.0, "within bound")
    assert "10: 0.10 s, 1000: 4.00 s" in found.detail
    assert figure("docker", {1_000: 6.0}).result == "MISSED"


def test_planner_runs_in_a_process() -> None:
    assert cpu_seconds("local", 3) > 0


def test_error_of_the_planner_is_shown() -> None:
    with pytest.raises(MeasurementError, match="moon"):
        cpu_seconds("moon", 3)
