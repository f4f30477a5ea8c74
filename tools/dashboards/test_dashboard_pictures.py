# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of dashboards: their texts and lines, and the files in the documentation."""

from __future__ import annotations

import re

import pytest
from dashboard_files import NAMES
from dashboard_pictures import MOST_BYTES, PICTURES, ROOT, Source, curve, legend_text, number_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0154, "percentunit", "1.54 %"),
        (1234.4, "reqps", "1,234/s"),
        (15_657_790, "bytes", "15.7 MB"),
        (0, "Bps", "0 B/s"),
        (2_500_000_000_000, "bytes", "2.5e+03 GB"),
        (49.21, "ms", "49.2 ms"),
        (3, "short", "3"),
    ],
)
def test_number_has_its_unit(value: float, unit: str, text: str) -> None:
    assert number_text(value, unit) == text


def test_legend_leaves_out_absent_labels() -> None:
    assert legend_text("{{host}} {{proxy}} listeners", {"proxy": "edge"}) == "edge listeners"


def test_line_spans_the_period_from_left_to_right() -> None:
    source = Source("http://127.0.0.1:1", 1)
    line = curve([(source.start, 0), (source.end, 4)], 4, source, 2)
    assert line == '<path class="line c2" d="M0.0 100.0L1000.0 4.0"/>'


def test_page_shows_a_small_picture_of_each_dashboard() -> None:
    text = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    named = re.findall(r"\(pictures/(dashboard-[a-z]+\.png)\)", text)
    assert sorted(named) == sorted(f"dashboard-{name}.png" for name in NAMES)
    assert set(named) == {path.name for path in PICTURES.glob("dashboard-*")}
    assert all(path.stat().st_size <= MOST_BYTES for path in PICTURES.glob("dashboard-*"))
