# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the pictures of reports in the documentation: they exist, and are small."""

from __future__ import annotations

import re

from checkout import ROOT
from report_pictures import MOST_BYTES, PICTURES


def test_pictures_of_the_page_exist_and_are_small() -> None:
    text = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("reports.md", "watch.md"))
    named = set(re.findall(r"\(pictures/([a-z_-]+\.png)\)", text))
    reports = {f"report-{one}.png" for one in ("front_proxy", "canary", "failing")}
    # tools/dashboards/test_dashboard_pictures.py tests the pictures of dashboards, and test_speed_table.py the charts.
    pictures = {
        path.name for path in PICTURES.iterdir() if not path.name.startswith(("dashboard-", "growth-"))
    }
    assert named == pictures == {*reports, "watch-front_proxy.png"}
    assert all(path.stat().st_size <= MOST_BYTES for path in PICTURES.iterdir())
