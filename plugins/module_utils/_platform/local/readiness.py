# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of the programs of one supervisord, and the reason why a program ended."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes, probe_request
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    with_last_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import LOGS, log_path
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.envoy_identity import (
    EnvoyIdentity,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    Supervisor,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    READY,
    Status,
    failed,
    wait_until_ready,
    waiting,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

LONGEST_TAIL = 16384  # bytes
SUPERVISORD_LOG = f"{LOGS}/supervisord.log"
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.02  # seconds
# A pause lasts at least this many times as long as the probes before it, so that the probes of many programs do not delay their start.
PAUSE_RATIO = 4
_EXITED = re.compile(
    r"exited: (?P<name>\S+) \((?P<how>exit status (?P<code>\d+)|terminated by (?P<signal>\w+))"
)


class LocalReadiness:
    """The readiness source of one run. It is made before programs are started, because it reads their logs from then on."""

    def __init__(
        self,
        folder: Path,
        workloads: Mapping[str, Workload],
        supervisor: Supervisor | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._folder = folder
        self._workloads = workloads
        self._programs = {name: workload.program for name, workload in workloads.items()}
        self._supervisor = supervisor
        self._progress = progress
        self._first_pids: dict[str, int] = {}
        self._answer: Mapping[str, Program] = {}
        self._probe_seconds = 0.0
        # The admin interfaces of Envoys that take over from another process, which answers on the same ports until then.
        self.taking_over: dict[str, EnvoyIdentity] = {}
        logs = [SUPERVISORD_LOG, *map(log_path, self._programs.values())]
        self._log_starts = {path: _size(folder / path) for path in logs}

    def wait(self, supervisor: Supervisor, timeout: float, workloads: Iterable[str] | None = None) -> None:
        """Return when `workloads`, all by default, are ready. Raises PlatformFailed, see `wait_until_ready`."""
        self._supervisor = supervisor
        names = self._workloads if workloads is None else workloads
        wait_until_ready(
            self,
            names,
            timeout,
            first_pause=FIRST_PAUSE,
            longest_pause=LONGEST_PAUSE,
            progress=self._progress,
            sleep=lambda pause: time.sleep(max(pause, PAUSE_RATIO * self._probe_seconds)),
        )

    def statuses(self, pending: Sequence[str], seconds_left: float) -> Mapping[str, Status]:
        """Return the programs that ended, where there are any; otherwise the status of all, by their probes."""
        statuses: Mapping[str, Status] = {}
        if self._is_answer_valid(pending):
            statuses = self._probe_statuses(pending, seconds_left)
            if all(status.state == "waiting" for status in statuses.values()):
                return statuses
        return self._ended(pending) or statuses or self._probe_statuses(pending, seconds_left)

    def _is_answer_valid(self, pending: Sequence[str]) -> bool:
        """Return whether the last answer of supervisord is enough: all processes run, and no state decides about readiness."""
        return all(
            (program := self._answer.get(self._programs[name]))
            and program.pid == self._first_pids.get(name)
            and host_processes.is_alive(program.pid)
            and self._workloads[name].probe.kind != "none"
            for name in pending
        )

    def _ended(self, pending: Sequence[str]) -> dict[str, Status]:
        """Return the programs that ended, by supervisord."""
        if self._supervisor is None:
            raise RuntimeError("statuses() needs the supervisor of wait()")
        try:
            programs = self._answer = self._supervisor.programs()
        except SupervisorError as error:
            raise PlatformFailed(f"{error}. Run again.") from None
        ended = {}
        exits = exit_reasons(self._new_lines(SUPERVISORD_LOG))
        for name in pending:
            program = programs.get(self._programs[name])
            first_pid = self._first_pids.setdefault(name, program.pid) if program and program.pid else 0
            if status := ended_status(program, first_pid, exits.get(self._programs[name], "ended")):
                ended[name] = status
        return ended

    def _probe_statuses(self, pending: Sequence[str], seconds_left: float) -> dict[str, Status]:
        begin = time.monotonic()
        timeout = min(max(0.1, seconds_left), 3)
        statuses = {
            name: self._probe_status(name, self._answer[self._programs[name]], timeout) for name in pending
        }
        self._probe_seconds = time.monotonic() - begin
        return statuses

    def report(self, workload: str, status: Status, problem: str) -> str:  # noqa: ARG002
        """Return the problem with the last lines of the workload's log since this was made."""
        path = log_path(self._programs[workload])
        return with_last_lines(f"{workload} {problem}", self._new_lines(path), str(self._folder / path))

    def _probe_status(self, name: str, program: Program, timeout: float) -> Status:
        if not program.pid:
            return waiting("it was not started yet")
        probe = self._workloads[name].probe
        if probe.kind == "none" and name not in self.taking_over:
            return READY if program.state == "RUNNING" else waiting(f"it is {program.state.lower()}")
        problem = probe_request.problem(probe, timeout, self._folder)
        if not problem and name in self.taking_over:
            problem = self.taking_over[name].problem(timeout)
        return waiting(problem) if problem else READY

    def _new_lines(self, path: str) -> list[str]:
        """Return the lines that were appended to a log since this was made, from its last 16 KiB."""
        return tail(self._folder / path, LONGEST_TAIL, self._log_starts.get(path, 0))


def tail(path: Path, size: int, start: int = 0) -> list[str]:
    """Return the lines of the last `size` bytes of a file from the offset `start`; nothing if the file cannot be read.

    A file that is shorter than `start` was truncated, and is read from its beginning.
    """
    try:
        with path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(start if start <= end else 0, end - size))
            return log.read(size).decode(errors="replace").splitlines()
    except OSError:
        return []


def ended_status(program: Program | None, first_pid: int, reason: str) -> Status | None:
    """Return `failed` for a program that ended, was stopped or was restarted by supervisord; None for any other one.

    Args:
        program: What supervisord answers about it; None where supervisord does not have it.
        first_pid: Its process id at the first attempt of this wait.
        reason: How it ended last, by supervisord's log.
    """
    if program is None:
        return failed("is missing in supervisord. Run again")
    if program.state in RUNNING and program.pid == first_pid:
        return None
    if program.state == "STOPPED" and not program.started:
        return None  # supervisord starts its programs after it answers for the first time
    if program.state == "STOPPED":
        return failed("was stopped by another supervisorctl. Run again")
    if program.spawnerr and not program.spawnerr.startswith("Exited too quickly"):
        return failed(f"cannot be started: {program.spawnerr}")
    return failed(reason)


def exit_reasons(supervisord_log: Sequence[str]) -> dict[str, str]:
    """Return how each program ended last, from supervisord's log: its XML-RPC interface has no signal and no early exit code.

    Example:
        >>> exit_reasons(["2026-01-01 WARN exited: edge (exit status 1; not expected)"])
        {'edge': 'ended with exit code 1'}
    """
    found = {}
    for line in supervisord_log:
        if match := _EXITED.search(line):
            if match["code"]:
                found[match["name"]] = f"ended with exit code {match['code']}"
            else:
                found[match["name"]] = f"was ended by {match['signal']}"
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
