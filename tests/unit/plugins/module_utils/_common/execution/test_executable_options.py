# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of executable_info for executables that exist, fail or cannot be started."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.executable_options import (
    perform,
)

DEFAULTS = {"arguments": [], "also_find": []}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "envoy"
    path.write_text('#!/bin/sh\necho "version /1.40.0/ $*"; echo why >&2; exit 3\n')
    path.chmod(0o755)
    return path


def test_failing_executable_is_a_result(program: Path) -> None:
    result = perform({**DEFAULTS, "path": str(program), "arguments": ["--version"]}, True)
    output = {"exit_code": 3, "stdout": "version /1.40.0/ --version\n", "stderr": "why\n"}
    assert result.items() >= {"exists": True, "changed": False, **output}.items()


def test_executable_is_not_run_without_arguments(program: Path) -> None:
    system = os.uname()
    assert perform({**DEFAULTS, "path": str(program)}, False) == {
        "changed": False,
        "exists": True,
        "also_found": [],
        "system": f"{system.sysname} {system.machine}",
    }


def test_names_are_searched_in_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    result = perform({"path": "envoy", "arguments": [], "also_find": ["no-such-program", "sh"]}, False)
    assert (result["exists"], result["also_found"]) == (True, ["sh"])


@pytest.mark.parametrize(
    ("name", "mode", "number"),
    [("missing", None, errno.ENOENT), ("data", 0o644, errno.EACCES), ("odd", 0o755, errno.ENOEXEC)],
)
def test_start_error_returns_its_number(tmp_path: Path, name: str, mode: int | None, number: int) -> None:
    path = tmp_path / name
    if mode is not None:
        path.write_bytes(b"\x7fELF of another machine")
        path.chmod(mode)
    result = perform({**DEFAULTS, "path": str(path), "arguments": ["--version"]}, False)
    assert (result["exit_code"], result["stdout"]) == (number, "")
    assert result["stderr"] == os.strerror(number)
    assert result["exists"] is (mode == 0o755)
