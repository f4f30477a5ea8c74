# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisord of a folder, with executables of this test in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
    wait_until,
)

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment}))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def executable(folder: Path, script: str) -> str:
    path = folder / "supervisord"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_missing_executable_fails(tmp_path: Path) -> None:
    with pytest.raises(PlatformFailed, match=r"supervisord cannot be started: .*No such file"):
        SupervisordProcess(tmp_path, "/no/supervisord").start()


def test_error_of_supervisord_is_reported(tmp_path: Path) -> None:
    program = executable(tmp_path, "echo 'Error: .ini file does not include section' >&2; exit 2")
    with pytest.raises(PlatformFailed) as error:
        SupervisordProcess(tmp_path, program).start()
    assert str(error.value) == "supervisord does not start: .ini file does not include section"


def test_exit_code_is_reported_without_output(tmp_path: Path) -> None:
    with pytest.raises(PlatformFailed, match="supervisord does not start: exit code 3"):
        SupervisordProcess(tmp_path, executable(tmp_path, "exit 3")).start()


def test_programs_are_found_by_inherited_variables(tmp_path: Path, start: Start) -> None:
    supervisord = SupervisordProcess(tmp_path, "supervisord")
    url = f"unix://{tmp_path}/supervisord.sock"
    web = start("sleep", "60", SUPERVISOR_SERVER_URL=url, SUPERVISOR_PROCESS_NAME="web")
    app = start("sleep", "60", SUPERVISOR_SERVER_URL=url, SUPERVISOR_PROCESS_NAME="app")
    start("sleep", "60", SUPERVISOR_SERVER_URL="unix:///other.sock", SUPERVISOR_PROCESS_NAME="web")
    assert wait_until(lambda: sorted(supervisord.program_pids()) == sorted([web.pid, app.pid]), 5)
    assert supervisord.program_pids("web") == [web.pid]


def test_clear_ends_programs_and_removes_files(tmp_path: Path, start: Start) -> None:
    supervisord = SupervisordProcess(tmp_path, "supervisord")
    web = start("sleep", "60", SUPERVISOR_SERVER_URL=f"unix://{tmp_path}/supervisord.sock")
    assert wait_until(lambda: supervisord.program_pids() == [web.pid], 5)
    for name in ("supervisord.sock", "supervisord.sock.12", "supervisord.pid"):
        (tmp_path / name).write_text("")
    supervisord.clear(5)
    assert web.wait() == -15
    assert list(tmp_path.iterdir()) == []


def test_supervisord_is_found_by_its_document(tmp_path: Path, start: Start) -> None:
    supervisord = SupervisordProcess(tmp_path, "supervisord")
    script = tmp_path / "supervisord"
    script.write_text("import time; time.sleep(60)")
    found = start(sys.executable, str(script), "--configuration", f"{tmp_path}/supervisord.conf")
    start("tail", "-f", "/dev/null", f"{tmp_path}/supervisord.conf")
    assert wait_until(lambda: supervisord.supervisord_pids() == [found.pid], 5)


def test_wait_ends_at_the_deadline() -> None:
    begin = time.monotonic()
    assert not wait_until(lambda: False, 0.05)
    assert 0.04 < time.monotonic() - begin < 5
    assert wait_until(lambda: True, 0)
