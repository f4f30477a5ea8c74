# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench` says of what it measured, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from measure import Figure, tell

KEPT = Figure("kept", 1.5, 2.0, "×", "a detail")
MISSED = Figure("missed", 2.5, 2.0, "×", "a detail")
NOT_MEASURED = Figure("not measured", None, 2.0, "×", "why")
TOLD = Figure("told", 9.0, None, "×", "a detail")


@pytest.mark.parametrize(
    ("figures", "marks", "code"),
    [
        ([KEPT, TOLD, NOT_MEASURED], ["kept", "no bound", "not measured"], 0),
        ([MISSED, KEPT], ["MISSED", "kept"], 1),
    ],
)
def test_a_missed_bound_is_how_it_ends_and_all_is_written_down(
    figures: list[Figure],
    marks: list[str],
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "build/bench.json"
    assert tell(figures, target) == code
    written = json.loads(target.read_text())
    assert [one["mark"] for one in written] == marks
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith(mark) for line, mark in zip(lines[::2], marks, strict=False)] == [True] * len(marks)
