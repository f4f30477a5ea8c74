# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until programs of a supervisord serve, and tells how they ended when they do not."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import probe_request
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    failure,
    last_words,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import LOGS, log_path
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    Supervisor,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

TAIL = 16384
SUPERVISORD_LOG = f"{LOGS}/supervisord.log"
_EXITED = re.compile(
    r"exited: (?P<name>\S+) \((?P<how>exit status (?P<code>\d+)|terminated by (?P<signal>\w+))"
)


class Readiness:
    """Made before programs are started, so that it knows what their logs said already."""

    def __init__(self, folder: Path, workloads: Mapping[str, Workload]) -> None:
        self._folder = folder
        self._workloads = workloads
        self._pids: dict[str, int] = {}
        logs = [SUPERVISORD_LOG, *map(log_path, workloads)]
        self._read = {path: _size(folder / path) for path in logs}

    def wait(self, supervisor: Supervisor, timeout: float) -> None:
        """Return when every workload serves. Raises PlatformFailed for those that end, or do not serve in time."""
        deadline = time.monotonic() + timeout
        pending = list(self._workloads)
        pause = 0.01
        while True:
            programs = _asked(supervisor)
            if ended := [how for name in pending if (how := self._ending(name, programs.get(name)))]:
                raise failure(ended)
            left = max(0.1, deadline - time.monotonic())
            reasons = {name: why for name in pending if (why := self._why_not(name, programs[name], left))}
            pending = list(reasons)
            if not pending:
                return
            if time.monotonic() >= deadline:
                late = [
                    self._told(name, f"{name} does not serve after {timeout:g} s ({reasons[name]})")
                    for name in pending
                ]
                raise failure(late)
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, 0.1)

    def _ending(self, name: str, program: Program | None) -> str:
        """Return how a program ended, empty where it has not."""
        if program is None:
            return f"{name} is not known to supervisord; run again"
        first = self._pids.setdefault(name, program.pid)
        if program.state in RUNNING and program.pid == first:
            return ""
        if program.state == "STOPPED":
            what = "was stopped by somebody"
        elif program.spawnerr and not program.spawnerr.startswith("Exited too quickly"):
            what = f"cannot be started: {program.spawnerr}"
        else:
            what = endings(self._tail(SUPERVISORD_LOG)).get(name, "ended")
        return self._told(name, f"{name} {what}")

    def _why_not(self, name: str, program: Program, timeout: float) -> str:
        wanted = self._workloads[name].probe
        if wanted.kind == "none":
            return "" if program.state == "RUNNING" else f"it is {program.state.lower()}"
        return probe_request.answer(wanted, min(timeout, 3))

    def _told(self, name: str, what: str) -> str:
        return last_words(what, self._tail(log_path(name)), str(self._folder / log_path(name)))

    def _tail(self, path: str) -> list[str]:
        """Return what a log said since this was made."""
        try:
            with (self._folder / path).open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                start = self._read.get(path, 0)
                log.seek(max(start if start <= size else 0, size - TAIL))
                return log.read().decode(errors="replace").splitlines()
        except OSError:
            return []


def endings(log: list[str]) -> dict[str, str]:
    """Return how each program ended last, from supervisord's log: it tells of an early end nowhere else."""
    found = {}
    for line in log:
        if match := _EXITED.search(line):
            how = f"with exit code {match['code']}" if match["code"] else f"by {match['signal']}"
            found[match["name"]] = f"{'ended' if match['code'] else 'was ended'} {how}"
    return found


def _asked(supervisor: Supervisor) -> dict[str, Program]:
    try:
        return supervisor.programs()
    except SupervisorError as error:
        raise PlatformFailed(f"{error}; run again") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
