# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the virtual environment with the libraries of traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import python_environment
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.libraries import environment
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.libraries.locked_packages import (
    REQUIREMENTS,
)

ROOT = Path(__file__).resolve().parents[6]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that would have been run; `venv` creates a Python."""
    found: list[list[str]] = []

    def run(command: list[str], **_options: Any) -> Any:
        found.append(command)
        if command[2] == "venv":
            Path(command[3], "bin").mkdir()
            Path(command[3], "bin", "python").touch()
        return CommandResult(0, "", "")

    monkeypatch.setattr(python_environment, "run", run)
    return found


def test_environment_is_created_once(tmp_path: Path, commands: list[list[str]]) -> None:
    texts: list[str] = []
    first = environment.library_python("a==1 --hash=sha256:0", tmp_path, texts.append)
    second = environment.library_python("a==1 --hash=sha256:0", tmp_path, texts.append)
    assert texts == ["installing the libraries of HTTP/2, HTTP/3 and gRPC, once on this host"]
    assert first == second
    assert Path(first).exists()
    assert [command[2] for command in commands] == ["venv", "pip"]
    assert "--require-hashes" in commands[1]
    assert [path.name for path in tmp_path.iterdir()] == [Path(first).parents[1].name]


def test_other_packages_have_another_environment(tmp_path: Path, commands: list[list[str]]) -> None:
    assert environment.library_python("a", tmp_path) != environment.library_python("b", tmp_path)


def test_failed_install_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **_options: Any) -> Any:
        return CommandResult(1, "", "ERROR: no matching distribution\n")

    monkeypatch.setattr(python_environment, "run", fail)
    with pytest.raises(
        ArgumentError, match=r"no matching distribution. Install python3-venv, or set a package index"
    ):
        environment.library_python("a", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_others_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ArgumentError, match="belongs to another user, or others can write to it"):
        environment.library_python("a", tmp_path)


def test_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert python_environment.cache_folder() == tmp_path / "meshlab.envoy"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/a")
    assert python_environment.cache_folder() == Path("/home/a/.cache/meshlab.envoy")


def test_module_has_the_locked_requirements() -> None:
    locked = (ROOT / "requirements" / "traffic.txt").read_text(encoding="utf-8")
    assert REQUIREMENTS.strip() == locked[locked.index("aioquic==") :].strip()
