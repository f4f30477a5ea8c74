# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the files of reports: private, complete, and bounded in number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_results import result

from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_files import (
    KEPT_RUNS,
    default_folder,
    last_result,
    write_reports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_forms import FORMS

NAME = "2026-09-21T14-13-20.250Z-docker"


def test_files_are_private_and_named_after_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    found = write_reports(result(), ["html", "junit"], folder)
    assert [path.name for path in found] == [f"{NAME}.html", f"{NAME}.junit.xml"]
    assert json.loads((folder / "shop" / f"{NAME}.json").read_text()) == result()
    assert {oct(path.stat().st_mode) for path in (folder / "shop").iterdir()} == {"0o100600"}
    assert oct((folder / "shop").stat().st_mode) == "0o40700"


def test_only_the_newest_runs_stay_and_other_files_are_kept(tmp_path: Path) -> None:
    own = tmp_path / "shop"
    own.mkdir()
    (own / "mine.html").touch()
    for number in range(KEPT_RUNS + 3):
        write_reports({**result(), "began": 1790000000.0 + number}, ["html"], tmp_path)
    names = sorted(path.name for path in own.iterdir())
    assert len(names) == 2 * KEPT_RUNS + 1
    assert names[0] == "2026-09-21T14-13-23.000Z-docker.html"
    assert "mine.html" in names


def test_last_result_is_that_of_the_platform(tmp_path: Path) -> None:
    write_reports({**result(), "platform": "local"}, [], tmp_path)
    write_reports({**result(), "began": 1790000005.0}, [], tmp_path)
    assert str(last_result(tmp_path, "shop")).endswith("25.000Z-docker.json")
    assert str(last_result(tmp_path, "shop", "local")).endswith("20.250Z-local.json")
    assert last_result(tmp_path, "other") is None


def test_interrupted_write_keeps_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [path] = write_reports(result(), ["html"], tmp_path)
    before = path.read_text()

    def fail(_source: object, _target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_reports(result(failed=3), ["html"], tmp_path)
    assert path.read_text() == before
    assert len(list((tmp_path / "shop").iterdir())) == 2


def test_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        write_reports(result(), ["html"], tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_name_of_a_demo_does_not_leave_the_folder(tmp_path: Path) -> None:
    [path] = write_reports(
        {**result(), "demo": "../../x", "platform": "../y", "change": "a/../b"}, ["html"], tmp_path / "in"
    )
    assert path.parent.parent == tmp_path / "in"


def test_summary_of_github_gets_the_markdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert write_reports(result(), ["github"], tmp_path / "reports") == []
    assert summary.read_text() == "before\n" + FORMS["markdown"].text(result())


def test_default_folder_is_in_the_state_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_folder() == Path("/state/meshlab.envoy/reports")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder() == Path("/home/me/.local/state/meshlab.envoy/reports")
