# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the line chart."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from plot import plot

SVG = "{http://www.w3.org/2000/svg}"


def test_chart_has_a_line_and_a_label_for_each_series() -> None:
    chart = ET.fromstring(plot("A <title>", ("x", "y"), {"one": [(1, 1), (2, 4)], "two": [(1, 2), (2, 2)]}))
    assert len(list(chart.iter(f"{SVG}polyline"))) == 2
    assert {"A <title>", "x", "y", "one", "two"} <= {one.text for one in chart.iter(f"{SVG}text")}
