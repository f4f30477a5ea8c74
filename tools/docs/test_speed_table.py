# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of docs/speed.md: its tables and charts are those of the recorded figures, and each missed bound has a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from speed_table import (
    PAGE,
    PICTURES,
    RECORD,
    figure_table,
    figures,
    filled,
    growth_text,
    machine,
    parts,
    phase_table,
    pictures,
    record,
    rows_of_page,
    without_reason,
)

FIGURE = {"name": "docker", "ratio": 1.234, "bound": 1.5, "unit": "× ping", "result": "within bound"}
ROWS: dict[str, Any] = {
    "figures": {"docker": 1.4, "local": 1.6, "whole task": "≥ 300"},
    "by_hand": [{"name": "make test", "measured": 26, "bound": 25, "unit": "minutes"}],
    "reasons": {"make test": "the gallery takes 20 minutes"},
}


def recorded(*found: dict[str, Any]) -> dict[str, Any]:
    return {"figures": found, "phases": {}, "growth": {}, "date": "2026-11-30", "processors": 2}


def test_table_has_listed_and_other_figures_and_those_by_hand() -> None:
    other = {
        **FIGURE,
        "name": "uri",
        "ratio": 310.4,
        "bound": 300,
        "at_least": True,
        "unit": "× faster",
    }
    table = figure_table(figures(recorded(other, FIGURE), ROWS), ROWS["reasons"])
    assert table.splitlines()[2:] == [
        "| docker | 1.23 × ping | ≤ 1.5 | within |",
        "| local | – | ≤ 1.6 | not measured |",
        "| whole task | – | ≥ 300 | not measured |",
        "| uri | 310 × faster | ≥ 300 | within |",
        "| make test | 26.0 minutes | ≤ 25 | missed: the gallery takes 20 minutes |",
    ]


def test_missed_figure_without_a_reason_is_found() -> None:
    missed = {**FIGURE, "ratio": 2.0, "result": "MISSED"}
    assert without_reason(recorded(missed), ROWS) == ["docker"]
    assert without_reason(recorded(FIGURE), ROWS) == []


def test_phases_have_seconds_shares_and_numbers_of_tasks() -> None:
    docker = {"start": {"seconds": 0.75, "tasks": 0}, "other": {"seconds": 0.25, "tasks": 9}}
    assert phase_table({"docker": docker}).splitlines()[2:] == [
        "| start | 0.75 s, 75% |",
        "| other | 0.25 s, 25%, 9 tasks |",
        "| **all** | **1.00 s** |",
    ]


def test_missing_parts_are_not_measured() -> None:
    assert "not measured" in phase_table({})
    assert growth_text({"planner": {}}).splitlines() == [
        "![CPU time of the planner by the number of services, a line for each platform](pictures/growth-planner.svg)",
        "",
        "The growth of deploy and verify and fleet is not measured yet.",
    ]


def test_record_has_the_files_of_the_build_folder(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make bench"):
        record(tmp_path, 2)
    (tmp_path / "bench.json").write_text(json.dumps([FIGURE]))
    (tmp_path / "growth").mkdir()
    growth = {"title": "t", "axes": ["x", "y"], "lines": {"local": [[1, 2], [3, 4]]}}
    (tmp_path / "growth" / "deploy.json").write_text(json.dumps(growth))
    found = record(tmp_path, 2)
    assert (found["figures"], found["phases"], found["growth"]) == ([FIGURE], {}, {"deploy": growth})
    assert machine(found) == f"Measured on {found['date']} on a machine with 2 processors."
    [(name, svg)] = pictures(found["growth"])
    assert (name, "<polyline" in svg) == ("growth-deploy.svg", True)


def test_page_without_marks_is_reported() -> None:
    with pytest.raises(SystemExit, match="needs these two lines"):
        filled("no marks", {"figures": ""})


def test_page_and_charts_are_those_of_the_recorded_figures() -> None:
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, parts(found, rows_of_page())) == text, "Run `make speed-table`."
    charts = dict(pictures(found["growth"]))
    assert {path.name for path in PICTURES.glob("growth-*")} == set(charts)
    assert all((PICTURES / name).read_text(encoding="utf-8") == svg for name, svg in charts.items())


def test_each_missed_bound_has_a_reason() -> None:
    assert without_reason(json.loads(RECORD.read_text(encoding="utf-8")), rows_of_page()) == []
