# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and programs of this host."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes


def test_a_process_is_found_by_what_it_inherited() -> None:
    child = subprocess.Popen(["sleep", "60"], env={"MARK": f"of {os.getpid()}", "PATH": os.defpath})
    try:
        wait_until(
            lambda: host_processes.matching_pids(
                lambda one: one.environment.get("MARK") == f"of {os.getpid()}"
            )
        )
        (found,) = [one for one in host_processes.processes() if one.pid == child.pid]
        assert found.command == ("sleep", "60")
        assert host_processes.end([child.pid], 5) == []
    finally:
        child.kill()
        child.wait()


def test_one_that_will_not_end_is_made_to() -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-ISc", script], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert host_processes.end([child.pid], 0.2) == []
        assert child.wait() == -9


def test_ended_processes_are_not_alive() -> None:
    child = subprocess.Popen(["true"])
    wait_until(
        lambda: not host_processes.is_alive(child.pid)
    )  # a zombie, as nobody has asked for its end yet
    child.wait()
    assert not host_processes.is_alive(child.pid)
    assert host_processes.is_alive(os.getpid())
    assert not host_processes.is_stopped(os.getpid())


def test_where_there_is_no_proc_ps_is_read() -> None:
    text = "  1 /sbin/init\n 42 python3 server.py SUPERVISOR_SERVER_URL=unix:///s A=\nnonsense\n"
    first, second = host_processes._parse_ps(text)
    assert (first.pid, first.command, first.environment) == (1, ("/sbin/init",), {})
    assert second.command[:2] == ("python3", "server.py")
    assert second.environment == {"SUPERVISOR_SERVER_URL": "unix:///s", "A": ""}


@pytest.mark.parametrize("program", [sys.executable, "sh", "./run", "bin/run"])
def test_a_program_that_can_be_started_has_no_problem(tmp_path: Path, program: str) -> None:
    for path in (tmp_path / "run", tmp_path / "bin" / "run"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    assert executables.problem(program, tmp_path) == ""


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run").symlink_to(sys.executable)
    assert executables.problem("~/run", Path("/")) == ""
    assert (
        executables.problem("~/other", Path("/")) == "~/other does not exist. Install it, or correct its path"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xcf\xfa\xed\xfe" + bytes(20), "is a program for macOS"),
        (b"", "is not a program (Exec format error)"),
        (b"PK\x03\x04 a wheel", "is not a program (Exec format error)"),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16", "is a program for s390x"),
    ],
)
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="what is the wrong kind depends on the machine"
)
def test_a_program_of_the_wrong_kind_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    monkeypatch.setattr(
        executables, "_BINFMT_MISC", tmp_path / "none"
    )  # a kernel that runs nothing but its own
    (tmp_path / "program").write_bytes(content)
    (tmp_path / "program").chmod(0o755)
    assert words in executables.problem("./program", tmp_path)


def test_what_the_kernel_was_told_to_emulate_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(40)
    (tmp_path / "program").write_bytes(program)
    (tmp_path / "program").chmod(0o755)
    foreign = tmp_path / "binfmt_misc"
    foreign.mkdir()
    monkeypatch.setattr(executables, "_BINFMT_MISC", foreign)
    entry = f"enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: OC\noffset 0\nmagic {program[:20].hex()}\nmask {'ff' * 20}\n"
    (foreign / "python3.11").write_text(
        "enabled\ninterpreter /usr/bin/python3.11\noffset 0\nmagic a70d0d0a\n"
    )
    assert "s390x" in executables.problem("./program", tmp_path)
    (foreign / "qemu-s390x").write_text(entry.replace("enabled", "disabled"))
    assert "s390x" in executables.problem("./program", tmp_path)
    (foreign / "qemu-s390x").write_text(entry)
    assert executables.problem("./program", tmp_path) == ""


def test_what_is_in_no_folder_of_path_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert executables.problem("no-such-program", tmp_path).startswith(
        "no-such-program is in no folder of PATH. "
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "envoy").write_text("#!/bin/sh\n")
    assert f"`chmod +x {tmp_path}/envoy`" in executables.problem("envoy", tmp_path)
    assert executables.problem(str(tmp_path), tmp_path).endswith("is a folder. Name the executable in it")


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
