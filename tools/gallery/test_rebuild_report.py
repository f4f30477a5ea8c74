# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of `make report`: the report of the last run is built again from its JSON file."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_report_is_the_same_as_that_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rebuild_report import main
    from run_results import result

    from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_files import write_reports

    [page] = write_reports(result(failed=3, change=True), ["html"], tmp_path)
    text = page.read_text()
    page.unlink()
    assert main(["demos/shop.yml", "--platform", "docker", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{page.as_uri()}\n"
    assert page.read_text() == text


def test_missing_result_names_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rebuild_report import main

    assert main(["shop", "--platform", "local", "--folder", str(tmp_path)]) == 1
    assert (
        capsys.readouterr().err
        == f"{tmp_path}: no result of shop on local. Run `make demo DEMO=shop` first.\n"
    )


def test_damaged_result_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rebuild_report import main
    from run_results import result

    from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_files import write_reports

    write_reports(result(), [], tmp_path)
    [path] = (tmp_path / "shop").iterdir()
    path.write_text("{")
    assert main(["shop", "--folder", str(tmp_path)]) == 1
    assert "no JSON" in capsys.readouterr().err
