# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of this host: whose they are, what they belong to, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
STEP = 0.02


@dataclass(frozen=True)
class Process:
    pid: int
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def processes(proc: Path = PROC) -> list[Process]:
    """Return the processes that this user may look into, except this one and those that have ended."""
    if not (proc / "self").exists():
        return _from_ps(
            subprocess.run(
                ["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=False
            ).stdout
        )
    found = (_from_proc(one) for one in proc.iterdir() if one.name.isdigit())
    return [one for one in found if one and one.pid != os.getpid()]


def selected(wanted: Callable[[Process], bool]) -> list[int]:
    """Return the process ids that `wanted` says yes to."""
    return [one.pid for one in processes() if wanted(one)]


def name_of(pid: int, proc: Path = PROC) -> str:
    """Return how `ps` calls a process; empty where it is not known."""
    with contextlib.suppress(OSError):
        return (proc / str(pid) / "comm").read_text().strip()
    return ""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    with contextlib.suppress(OSError, IndexError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
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
    """Whether somebody has frozen a process with SIGSTOP."""
    with contextlib.suppress(OSError, IndexError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


def resume(pid: int) -> None:
    """Let a frozen process go on."""
    _signal(pid, signal.SIGCONT)


def end(pids: Iterable[int], patience: float) -> list[int]:
    """Ask processes to end, and make those that have not after `patience` seconds; return the ones that will not."""
    left = [pid for pid in pids if _signal(pid, signal.SIGTERM)]
    for pid in left:
        _signal(pid, signal.SIGCONT)
    left = _wait(left, patience)
    for pid in left:
        _signal(pid, signal.SIGKILL)
    return _wait(left, 60)


def _wait(pids: list[int], patience: float) -> list[int]:
    deadline = time.monotonic() + patience
    while True:
        pids = [pid for pid in pids if is_alive(pid)]
        if not pids or time.monotonic() >= deadline:
            return pids
        time.sleep(STEP)


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _from_proc(folder: Path) -> Process | None:
    try:
        command = _strings((folder / "cmdline").read_bytes())
        variables = _strings((folder / "environ").read_bytes())
    except OSError:
        return None
    pairs = (one.partition("=") for one in variables)
    return Process(int(folder.name), command, {key: value for key, _sign, value in pairs})


def _strings(data: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(one) for one in data.split(b"\0") if one)


def _from_ps(text: str) -> list[Process]:
    """Read what ps says where there is no /proc: command and environment in one line, parted by spaces."""
    found = []
    for line in text.splitlines():
        pid, _space, rest = line.strip().partition(" ")
        if pid.isdigit() and int(pid) != os.getpid():
            words = tuple(rest.split())
            pairs = (word.partition("=") for word in words if "=" in word)
            found.append(Process(int(pid), words, {key: value for key, _sign, value in pairs}))
    return found
