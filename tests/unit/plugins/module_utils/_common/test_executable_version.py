# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a program that is there, and of one that is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.executable_version import perform

WITHOUT = {"arguments": [], "also": []}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "envoy"
    path.write_text('#!/bin/sh\necho "version /1.40.0/ $*"; echo why >&2; exit 3\n')
    path.chmod(0o755)
    return path


def test_what_it_says_is_an_answer_however_it_ends(program: Path) -> None:
    seen = perform({**WITHOUT, "path": str(program), "arguments": ["--version"]}, True)
    told = {"code": 3, "stdout": "version /1.40.0/ --version\n", "stderr": "why\n"}
    assert seen.items() >= {"exists": True, "changed": False, **told}.items()


def test_it_is_not_run_without_arguments(program: Path) -> None:
    system = os.uname()
    assert perform({**WITHOUT, "path": str(program)}, False) == {
        "changed": False,
        "exists": True,
        "also": [],
        "system": f"{system.sysname} {system.machine}",
    }


def test_names_are_looked_up_in_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    seen = perform({"path": "envoy", "arguments": [], "also": ["no-such-program", "sh"]}, False)
    assert (seen["exists"], seen["also"]) == (True, ["sh"])


@pytest.mark.parametrize(
    ("name", "mode", "number"),
    [("missing", None, errno.ENOENT), ("data", 0o644, errno.EACCES), ("odd", 0o755, errno.ENOEXEC)],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, name: str, mode: int | None, number: int) -> None:
    path = tmp_path / name
    if mode is not None:
        path.write_bytes(b"\x7fELF of another machine")
        path.chmod(mode)
    seen = perform({**WITHOUT, "path": str(path), "arguments": ["--version"]}, False)
    assert (seen["code"], seen["stdout"]) == (number, "")
    assert seen["stderr"] == os.strerror(number)
    assert seen["exists"] is (mode == 0o755)
