# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the cells of the table of results."""

from __future__ import annotations

from typing import Any

import pytest
from gallery_table import MARKS, PAGE, ROOT, cell
from sandbox_table import contrib_demos

RUN: dict[str, Any] = {"held": 18, "expectations": 18, "seconds": 6.8, "failed": [], "unsupported_on": ""}


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, "not run"),
        (RUN, "✔ 18 of 18, 7 s"),
        (RUN | {"held": 17, "failed": [["site", "…"]]}, "✘ 17 of 18, 7 s"),
        (RUN | {"unsupported_on": "needs root"}, "– needs root"),
        (RUN | {"unsupported_on": "no program", "failed": [["programs", "…"]]}, "✘ 18 of 18, 7 s"),
    ],
)
def test_cell_shows_the_result_of_a_run(run: dict[str, Any] | None, expected: str) -> None:
    assert cell(run) == expected


def test_page_has_both_markers_once() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [text.count(mark) for mark in MARKS] == [1, 1]


def test_every_demo_has_a_result_on_each_platform() -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = (text.index(mark) for mark in MARKS)
    rows = {line.split("`")[1]: line.split("|")[2:-1] for line in text[begin:end].splitlines() if "`" in line}
    assert sorted(rows) == sorted(path.stem for path in (ROOT / "playbooks" / "demos").glob("*.yml"))
    for demo in rows.keys() & contrib_demos():
        assert [cell.strip() for cell in rows.pop(demo)] == ["not run"] * 4, demo
    for demo, cells in rows.items():
        assert [cell.strip()[0] for cell in cells if cell.strip()[0] not in "✔–"] == [], demo
