# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the order of the parts, and of a part that fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from measure import Figure, MeasurementError, Report


@pytest.fixture
def bench() -> ModuleType:
    # The module imports the collection, which a test module can import only after pytest_configure.
    import bench

    return bench


FAILURES = {
    "`docker` ended with exit status 1": MeasurementError("`docker` ended with exit status 1"),
    "RuntimeError: no pod": RuntimeError("no pod"),
    "TimeoutExpired: Command 'curl' timed out after 5 seconds": subprocess.TimeoutExpired("curl", 5),
}


def one_figure(_folder: Path) -> list[Figure]:
    return [Figure("of the next part", 1.0, 2.0, "×", "")]


@pytest.mark.parametrize("reason", FAILURES)
def test_failing_part_keeps_its_figures_and_the_next_part_runs(
    bench: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reason: str,
) -> None:
    def fails_after_one_figure(_folder: Path) -> Iterator[Figure]:
        yield Figure("first of the failing part", 1.0, 2.0, "×", "")
        raise FAILURES[reason]

    monkeypatch.setattr(bench, "PARTS", {"failing": fails_after_one_figure, "next": one_figure})
    report = Report(tmp_path / "bench.json")
    assert bench.measure(["failing", "next"], tmp_path, report) == ["failing"]
    names = [one["name"] for one in json.loads(report.target.read_text())]
    assert names == ["first of the failing part", "of the next part"]
    printed = capsys.readouterr()
    assert f"bench: part 'failing' failed: {reason}" in printed.err
    assert "first of the failing part" in printed.out
    assert "of the next part" in printed.out
