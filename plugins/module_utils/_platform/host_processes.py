# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of this host: how to find and to end them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import run
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts

PROC = Path("/proc")
PAUSE = 0.02  # seconds between two looks at processes that are ending
KILL_TIMEOUT = 60  # seconds until a process that got SIGKILL counts as unkillable


@dataclass(frozen=True)
class Process:
    """A process, its command line and its environment."""

    pid: int
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def processes(proc: Path = PROC) -> list[Process]:
    """Return the running processes whose environment this user may read, except this process."""
    if not (proc / "self").exists():
        return _parse_ps(run(["ps", "axeww", "-o", "pid=,command="]).stdout)
    found = (_read_process(folder) for folder in proc.iterdir() if folder.name.isdigit())
    return [process for process in found if process and process.pid != os.getpid()]


def matching_pids(matches: Callable[[Process], bool]) -> list[int]:
    """Return the ids of the processes for which `matches` returns true."""
    return [process.pid for process in processes() if matches(process)]


def process_name(pid: int, proc: Path = PROC) -> str:
    """Return the name of a process as `ps` shows it; an empty text where it is unknown."""
    with contextlib.suppress(OSError):
        return (proc / str(pid) / "comm").read_text().strip()
    return ""


def is_alive(pid: int) -> bool:
    """Return whether a process runs. A zombie, which has ended and which its parent did not wait for yet, does not."""
    if state := _state(pid):
        return state not in ("Z", "X")
    if PROC.joinpath("self").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_stopped(pid: int) -> bool:
    """Return whether a process was stopped by SIGSTOP."""
    return _state(pid) == "T"


def resume(pid: int) -> None:
    """Send SIGCONT to a process."""
    _signal(pid, signal.SIGCONT)


def freeze(pid: int) -> None:
    """Send SIGSTOP to a process: it handles no other signal than SIGKILL and SIGCONT."""
    _signal(pid, signal.SIGSTOP)


def kill(pid: int) -> None:
    """Send SIGKILL to a process."""
    _signal(pid, signal.SIGKILL)


def end(pids: Iterable[int], timeout: float) -> list[int]:
    """End processes with SIGTERM, and with SIGKILL after `timeout` seconds; return those that still run 60 s later."""
    running = [pid for pid in pids if _signal(pid, signal.SIGTERM)]
    for pid in running:
        _signal(pid, signal.SIGCONT)
    running = _wait_for_end(running, timeout)
    for pid in running:
        _signal(pid, signal.SIGKILL)
    return _wait_for_end(running, KILL_TIMEOUT)


def _wait_for_end(pids: list[int], timeout: float) -> list[int]:
    for _left in attempts(timeout, first_pause=PAUSE, longest_pause=PAUSE):
        pids = [pid for pid in pids if is_alive(pid)]
        if not pids:
            break
    return pids


def _state(pid: int) -> str:
    """Return the state letter of proc_pid_stat(5); an empty text where there is no such process or no /proc."""
    with contextlib.suppress(OSError, IndexError):
        # The command in parentheses may hold spaces and parentheses.
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _read_process(folder: Path) -> Process | None:
    try:
        command = _split((folder / "cmdline").read_bytes())
        variables = _split((folder / "environ").read_bytes())
    except OSError:
        return None
    pairs = (variable.partition("=") for variable in variables)
    return Process(int(folder.name), command, {key: value for key, _sign, value in pairs})


def _split(data: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(part) for part in data.split(b"\0") if part)


def _parse_ps(text: str) -> list[Process]:
    """Return the processes of `ps`, which prints command and environment in one line, separated by spaces."""
    found = []
    for line in text.splitlines():
        pid, _space, rest = line.strip().partition(" ")
        if pid.isdigit() and int(pid) != os.getpid():
            columns = tuple(rest.split())
            pairs = (column.partition("=") for column in columns if "=" in column)
            found.append(Process(int(pid), columns, {key: value for key, _sign, value in pairs}))
    return found
