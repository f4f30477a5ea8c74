# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the table of failed requests by kind of change: its sums, its announcements, and the columns that it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from change_table import MARKS, PAGE, README, cells_in, write

EMPTY = f"text\n{MARKS[0]}\n{MARKS[1]}\nmore\n"


def row(kind: str, failed: int = 0, announced: bool = False) -> dict[str, Any]:
    return {"kind": kind, "requests": 5000, "failed": failed, "announced": [{}] if announced else []}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    page, readme = tmp_path / "page.md", tmp_path / "readme.md"
    for one in (page, readme):
        one.write_text(EMPTY)
    return tmp_path, page, readme


def results(folder: Path, platform: str, *rows: dict[str, Any]) -> None:
    (folder / f"{platform}.json").write_text(json.dumps(rows))


def test_changes_of_a_kind_are_added_up(files: tuple[Path, Path, Path]) -> None:
    results(files[0], "local", row("route"), row("app", 3), row("route"), row("app", 4))
    results(files[0], "docker", row("route"), row("app", 5, announced=True), row("app"))
    write(*files)
    assert files[1].read_text() == (
        f"text\n{MARKS[0]}\n\n"
        "| kind of change | local | docker | kubernetes |\n|---|---|---|---|\n"
        "| route | 0 of 10,000 | 0 of 5,000 | not measured |\n"
        "| app | 7 of 10,000 | 5 of 10,000, announced | not measured |\n"
        "| **all** | **7 of 20,000** | **5 of 15,000** | not measured |\n\n"
        f"{MARKS[1]}\nmore\n"
    )
    sentence = "7 of 20,000 requests on local and 5 of 15,000 requests on docker failed"
    assert f"In live changes of 2 kinds, {sentence}" in files[2].read_text()


def test_platform_without_results_keeps_its_column(files: tuple[Path, Path, Path]) -> None:
    results(files[0], "docker", row("route", 1))
    write(*files)
    (files[0] / "docker.json").unlink()
    results(files[0], "local", row("route"))
    write(*files)
    assert "| route | 0 of 5,000 | 1 of 5,000 | not measured |" in files[1].read_text()


@pytest.mark.parametrize("text", ["no marks", f"{MARKS[1]}{MARKS[0]}"])
def test_page_without_marks_is_reported(files: tuple[Path, Path, Path], text: str) -> None:
    results(files[0], "local", row("route"))
    files[1].write_text(text)
    with pytest.raises(SystemExit, match="needs these two lines"):
        write(*files)


def test_missing_results_are_reported(files: tuple[Path, Path, Path]) -> None:
    with pytest.raises(SystemExit, match="has no results"):
        write(*files)


def test_page_has_a_row_for_each_kind_and_readme_its_sum() -> None:
    cells = cells_in(PAGE.read_text(encoding="utf-8"))
    assert len(cells) == 25
    assert "live changes of 25 kinds" in README.read_text(encoding="utf-8")
