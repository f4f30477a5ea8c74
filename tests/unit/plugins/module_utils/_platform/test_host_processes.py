# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this host, found and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes


def test_process_is_found_by_its_environment() -> None:
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


def test_process_that_ignores_sigterm_is_killed() -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-ISc", script], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert host_processes.end([child.pid], 0.2) == []
        assert child.wait() == -9


def test_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    wait_until(lambda: not host_processes.is_alive(child.pid))  # a zombie until wait() is called
    child.wait()
    assert not host_processes.is_alive(child.pid)
    assert host_processes.is_alive(os.getpid())
    assert not host_processes.is_stopped(os.getpid())


def test_output_of_ps_is_parsed() -> None:
    text = "  1 /sbin/init\n 42 python3 server.py SUPERVISOR_SERVER_URL=unix:///s A=\nnonsense\n"
    first, second = host_processes._parse_ps(text)
    assert (first.pid, first.command, first.environment) == (1, ("/sbin/init",), {})
    assert second.command[:2] == ("python3", "server.py")
    assert second.environment == {"SUPERVISOR_SERVER_URL": "unix:///s", "A": ""}


def test_stopped_process_is_resumed() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        wait_until(lambda: host_processes.is_stopped(child.pid))
        host_processes.resume(child.pid)
        wait_until(lambda: not host_processes.is_stopped(child.pid))
    finally:
        child.kill()
        child.wait()


def test_name_is_that_of_the_command() -> None:
    assert host_processes.process_name(os.getpid())
    assert host_processes.process_name(2**30) == ""


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
