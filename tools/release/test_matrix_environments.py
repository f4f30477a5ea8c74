# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the environments of the version matrix: which Python is used, and the report of a missing one."""

from __future__ import annotations

from pathlib import Path

import matrix_environments
import pytest


def program(folder: Path, name: str) -> str:
    folder.mkdir(parents=True)
    path = folder / name
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_python_in_path_precedes_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    pyenv = program(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin", "python3.12")
    monkeypatch.setenv("PATH", "")
    assert matrix_environments.interpreter("3.12") == pyenv
    in_path = program(tmp_path / "bin", "python3.12")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert matrix_environments.interpreter("3.12") == in_path


def test_script_of_pyenv_in_path_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    program(tmp_path / "shims", "python3.12")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    assert matrix_environments.interpreter("3.12") is None


def test_missing_python_is_reported_and_an_error_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix_environments, "pythons", lambda: ["3.99"])
    monkeypatch.delenv("CI", raising=False)
    matrix_environments.main()
    message = "python3.99 is neither in PATH nor in pyenv. Install it to test the collection with it."
    assert message in capsys.readouterr().err
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match=r"python3\.99 is neither in PATH nor in pyenv"):
        matrix_environments.main()
