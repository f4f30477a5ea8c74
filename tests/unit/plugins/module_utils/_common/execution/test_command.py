# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command runner: results, time limits, environments and errors."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import command
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    run,
)


def test_documented_examples_are_right() -> None:
    assert doctest.testmod(command).failed == 0


def test_result_has_exit_code_and_both_outputs(tmp_path: Path) -> None:
    result = run(["sh", "-c", "pwd; cat; echo why >&2; exit 3"], tmp_path, stdin="in\n")
    assert result == CommandResult(3, f"{tmp_path}\nin\n", "why\n")


def test_signal_is_a_negative_exit_code() -> None:
    assert run(["sh", "-c", "kill -9 $$"]).exit_code == -9


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert run(["printf", r"\377"]).stdout == "\N{REPLACEMENT CHARACTER}"


def test_timeout_ends_the_command() -> None:
    result = run(["sleep", "60"], timeout=0.05)
    assert (result.timed_out, result.exit_code) == (True, 124)
    assert result.stderr == "did not end within 0.05 s"


def test_messages_are_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run(["sh", "-c", "echo $LC_ALL"]).stdout == "C\n"


def test_given_environment_replaces_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    assert run(["/usr/bin/env"], environment={"ONLY": "this"}).stdout == "ONLY=this\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [
        ("one\n", "two\n\n", "two"),
        ("", "reason\nRun 'docker --help' for more\n", "reason"),
        ("", " \n", "exit code 7"),
    ],
)
def test_last_line_is_the_last_one_with_text(stdout: str, stderr: str, expected: str) -> None:
    assert CommandResult(7, stdout, stderr).last_line == expected


def test_program_path_searches_path_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/me")
    (tmp_path / "envoy").write_text("")
    (tmp_path / "envoy").chmod(0o755)
    assert command.program_path("envoy") == str(tmp_path / "envoy")
    assert command.program_path("~/bin/envoy") == "/home/me/bin/envoy"
    assert command.program_path("missing") == "missing"


def test_fingerprint_changes_when_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "envoy"
    path.write_text("1")
    before = command.program_fingerprint(str(path))
    assert command.program_fingerprint(str(path)) == before
    path.write_text("22")
    assert command.program_fingerprint(str(path)) != before
    assert command.program_fingerprint("/no/envoy") == "/no/envoy"


@pytest.mark.parametrize(
    ("content", "mode", "text", "is_missing"),
    [
        (None, 0, "does not exist. Install it, or correct its path.", True),
        ("#!/bin/sh\n", 0o644, "Run `chmod +x ", False),
        ("data", 0o755, "is not a program (Exec format error). Choose an executable for this machine", False),
        ("#!/no/interpreter\n", 0o755, "cannot be started: no such file or directory.", True),
    ],
)
def test_start_error_has_a_remedy(
    tmp_path: Path, content: str | None, mode: int, text: str, is_missing: bool
) -> None:
    path = tmp_path / "envoy"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(OSError, match=os.strerror(2) + "|denied|format") as raised:
        run([str(path)])
    problem = command.not_started(str(path), raised.value)
    assert str(problem).startswith(f"{path} ")
    assert text in str(problem)
    assert problem.is_missing is is_missing
