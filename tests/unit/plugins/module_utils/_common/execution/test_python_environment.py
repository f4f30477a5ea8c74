# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of Python packages on this host: an environment that is complete or absent, and packages for the Python of an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import python_environment
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.python_environment import (
    PackagesFailed,
    create_environment,
    install_for_image,
    is_usable,
)


def test_missing_python_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PackagesFailed, match=r"python4.0 cannot be started: .*Install Python"):
        create_environment(tmp_path / "packages-1", "", "/nonexistent/python4.0")
    assert list(tmp_path.iterdir()) == []


def test_environment_of_another_python_is_not_usable(tmp_path: Path) -> None:
    assert not is_usable(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "lib" / "python3.1" / "site-packages").mkdir(parents=True)
    assert not is_usable(tmp_path)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (tmp_path / "lib" / version / "site-packages").mkdir(parents=True)
    assert is_usable(tmp_path)


def test_packages_for_an_image_are_those_of_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_options: Any) -> CommandResult:
        commands.append(command)
        return CommandResult(0, "", "")

    monkeypatch.setattr(python_environment, "run", run)
    install_for_image(
        tmp_path / "packages", "six==1", "3.14", ["manylinux_2_36_x86_64", "manylinux1_x86_64"], tmp_path
    )
    options = " ".join(commands[1])
    assert f"--target {tmp_path}/packages --python-version 3.14 --implementation cp" in options
    assert "--platform manylinux_2_36_x86_64 --platform manylinux1_x86_64" in options
    assert "--only-binary :all: --require-hashes" in options
    assert (tmp_path / "requirements.txt").read_text(encoding="utf-8") == "six==1"
