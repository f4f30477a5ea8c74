# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the measurement of reports."""

from __future__ import annotations

from pathlib import Path


def test_report_is_measured_in_seconds(tmp_path: Path) -> None:
    from report_writing import figures

    [figure] = figures(tmp_path)
    assert (figure.unit, figure.bound) == ("s of CPU", 0.3)
    assert figure.ratio is not None
    assert figure.ratio > 0
    [page] = (tmp_path / "reports" / "front_proxy").glob("*.html")
    assert page.stat().st_size < 1_000_000
