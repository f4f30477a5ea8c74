# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cached output of `--version`: used while no file of the program changes, and from no untrusted file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.cached_version import (
    FOLDER,
    LARGEST,
    files_of,
    version_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult

OUTPUT = "envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL\n"


class Runner:
    """A command runner that counts its calls."""

    def __init__(self, exit_code: int = 0) -> None:
        self.calls = 0
        self.exit_code = exit_code

    def __call__(self, command: object, folder: object = None, timeout: float = 60) -> CommandResult:
        self.calls += 1
        return CommandResult(self.exit_code, OUTPUT, "")


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def envoy(tmp_path: Path) -> Path:
    """Return a script of a virtual environment, as the wheel of Envoy installs it."""
    home = tmp_path / "envoy-1.40.0"
    package = home / "lib" / "python3.11" / "site-packages" / "envoy" / "_bin"
    package.mkdir(parents=True)
    (package / "envoy").write_bytes(b"\x7fELF")
    (home / "bin").mkdir()
    (home / "bin" / "python3").write_text("")
    script = home / "bin" / "envoy"
    script.write_text(f"#!{home}/bin/python3\n")
    script.chmod(0o755)
    return script


def test_output_is_cached(envoy: Path, cache: Path, runner: Runner) -> None:
    assert version_output(str(envoy), cache, writes=True, runner=runner) == OUTPUT
    assert version_output(str(envoy), cache, writes=True, runner=runner) == OUTPUT
    assert runner.calls == 1
    [file] = (cache / FOLDER).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def binary(envoy: Path) -> Path:
    [found] = envoy.parent.parent.glob("lib/*/site-packages/envoy/_bin/envoy")
    return found


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.chmod(0o755)
    other.replace(file)


@pytest.mark.parametrize(
    "change",
    [
        replace,
        lambda envoy: replace(binary(envoy)),
        lambda envoy: binary(envoy).write_bytes(b"\x7fELF2"),
        lambda envoy: binary(envoy).unlink(),
        lambda envoy: replace(envoy.parent / "python3"),
    ],
)
def test_changed_file_runs_the_program_again(
    envoy: Path, cache: Path, runner: Runner, change: Callable[[Path], None]
) -> None:
    version_output(str(envoy), cache, writes=True, runner=runner)
    change(envoy)
    version_output(str(envoy), cache, writes=True, runner=runner)
    assert runner.calls == 2


def test_missing_interpreter_is_never_cached(envoy: Path, cache: Path, runner: Runner) -> None:
    version_output(str(envoy), cache, writes=True, runner=runner)
    (envoy.parent / "python3").unlink()
    assert files_of(envoy) == []
    version_output(str(envoy), cache, writes=True, runner=runner)
    assert runner.calls == 2


def test_script_that_can_run_any_program_is_never_cached(tmp_path: Path, cache: Path, runner: Runner) -> None:
    script = tmp_path / "envoy"
    script.write_text('#!/bin/sh\nexec /opt/envoy/current/envoy "$@"\n')
    script.chmod(0o755)
    for _run in range(2):
        assert version_output(str(script), cache, writes=True, runner=runner) == OUTPUT
    assert runner.calls == 2


def test_compiled_files_are_no_change(envoy: Path, cache: Path, runner: Runner) -> None:
    version_output(str(envoy), cache, writes=True, runner=runner)
    compiled = binary(envoy).parent.parent / "__pycache__"
    compiled.mkdir()
    (compiled / "_main.pyc").write_text("")
    version_output(str(envoy), cache, writes=True, runner=runner)
    assert runner.calls == 1


@pytest.mark.parametrize("writes", [True, False])
def test_nothing_is_written_without_a_folder_or_in_check_mode(
    envoy: Path, cache: Path, runner: Runner, writes: bool
) -> None:
    folder = cache / "missing" if writes else cache
    assert version_output(str(envoy), folder, writes=writes, runner=runner) == OUTPUT
    assert list(cache.iterdir()) == []


def test_failing_program_is_not_cached(envoy: Path, cache: Path) -> None:
    assert version_output(str(envoy), cache, writes=True, runner=Runner(1)) == ""
    assert list(cache.iterdir()) == []
    assert version_output(str(cache / "no-such"), cache, writes=True) == ""


def as_link(file: Path) -> None:
    other = file.with_name("other")
    file.rename(other)
    file.symlink_to(other)


def as_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.chmod(0o622),
        as_link,
        as_fifo,
        lambda file: file.write_bytes(b"\xff{"),
        lambda file: file.write_text("[" * LARGEST),
        lambda file: file.write_text(json.dumps({"files": [], "output": "x/9.9.9/"})),
        lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), "output": 7})),
        lambda file: file.write_text(json.dumps([1])),
    ],
)
def test_untrusted_file_is_ignored(
    envoy: Path, cache: Path, runner: Runner, spoil: Callable[[Path], None]
) -> None:
    version_output(str(envoy), cache, writes=True, runner=runner)
    [file] = (cache / FOLDER).iterdir()
    spoil(file)
    assert version_output(str(envoy), cache, writes=True, runner=runner) == OUTPUT
    assert runner.calls == 2


def test_file_of_another_user_is_ignored(
    envoy: Path, cache: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_output(str(envoy), cache, writes=True, runner=runner)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    version_output(str(envoy), cache, writes=True, runner=runner)
    assert runner.calls == 2


def test_cache_that_cannot_be_written_is_no_error(envoy: Path, cache: Path, runner: Runner) -> None:
    (cache / FOLDER).write_text("a file")
    assert version_output(str(envoy), cache, writes=True, runner=runner) == OUTPUT
