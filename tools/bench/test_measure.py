# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the report of measured figures."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from measure import Figure, MeasurementError, Report, output

WITHIN = Figure("within", 1.5, 2.0, "×", "a detail")
MISSED = Figure("missed", 2.5, 2.0, "×", "a detail")
NOT_MEASURED = Figure("not measured", None, 2.0, "×", "why")
AT_LEAST = Figure("faster", 290, 300, "× faster", "a detail", at_least=True)
NO_BOUND = Figure("reported", 9.0, None, "×", "a detail")


@pytest.mark.parametrize(
    ("figures", "results", "missed"),
    [
        ([WITHIN, NO_BOUND, NOT_MEASURED], ["within bound", "no bound", "not measured"], False),
        ([MISSED, WITHIN], ["MISSED", "within bound"], True),
        ([AT_LEAST, replace(AT_LEAST, ratio=300)], ["MISSED", "within bound"], True),
    ],
)
def test_report_prints_and_writes_each_figure_at_once(
    figures: list[Figure],
    results: list[str],
    missed: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report(tmp_path / "build/bench.json")
    for number, one in enumerate(figures, 1):
        report.add(one)
        assert len(json.loads(report.target.read_text())) == number
        lines = capsys.readouterr().out.splitlines()
        assert [
            line.endswith(text) for line, text in zip(lines, [results[number - 1], one.detail], strict=True)
        ] == [
            True,
            True,
        ]
    assert [one["result"] for one in json.loads(report.target.read_text())] == results
    assert report.missed is missed


@pytest.mark.parametrize("keep", [True, False])
def test_run_of_some_parts_keeps_other_figures(keep: bool, tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    for one in (WITHIN, MISSED):
        Report(target, keep=True).add(one)
    Report(target, keep=keep).add(replace(WITHIN, ratio=1.0))
    found = {one["name"]: one["ratio"] for one in json.loads(target.read_text())}
    assert found == ({"missed": 2.5, "within": 1.0} if keep else {"within": 1.0})


def test_failed_command_is_an_error_with_its_output() -> None:
    with pytest.raises(MeasurementError, match=r"ended with exit status 3:\nno port\n"):
        output([sys.executable, "-c", "print('no port'); raise SystemExit(3)"])
