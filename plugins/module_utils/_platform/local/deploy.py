# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads as processes under supervisord, as the current user, below one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    Applied,
    OnHost,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
    names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    LOGS,
    log_path,
    sections,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import Readiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    LONGEST_SOCKET,
    Daemon,
    wait,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    Supervisor,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload, ranks


class Local(OnHost):
    """See `base.Deployer`."""

    def __init__(self, folder: Path, workloads: Sequence[Workload], bind: str, supervisord: str) -> None:
        self.folder = folder
        self.bind = bind
        self.workloads = {one.name: one for one in workloads}
        self.daemon = Daemon(folder, supervisord)
        self._readiness = Readiness(folder, self.workloads)

    def where(self) -> str:
        return "local"

    def preflight(self) -> None:
        length = len(os.fsencode(self.daemon.socket))
        if length > LONGEST_SOCKET:
            raise PlatformRefused(
                f"The state folder's path is too long for a Unix socket: {self.daemon.socket} has {length} bytes,"
                f" {LONGEST_SOCKET} are possible; choose a shorter folder"
            )
        self._preflight_ports()
        self._preflight_programs()

    def lacking(self) -> tuple[str, ...]:
        return ()

    def fetch(self, lacking: Iterable[str]) -> None:
        """Programs are provided by roles, before."""

    def predict(self, document: str) -> Applied:
        new = sections(document)
        programs = self._programs()
        if programs is None:
            return Applied(started=names(new))
        try:
            old = sections(self.daemon.document.read_text(encoding="utf-8"))
        except OSError:
            old = {}
        stopped = (name for name in old if name not in programs or programs[name].state not in RUNNING)
        changed = {name for name in old if name in new and old[name] != new[name]}
        return Applied(
            started=names(({*new} - {*old}) | ({*new} & {*stopped} - changed)),
            restarted=names(changed),
            removed=names({*old} - {*new}),
        )

    def apply(self) -> Applied:
        self._readiness = Readiness(self.folder, self.workloads)
        if not self.daemon.is_alive():
            self.daemon.clear(self._patience())
            self.daemon.start()
            return Applied(started=names(self.workloads))
        try:
            with self.daemon.supervisor() as supervisor:
                return self._converge(supervisor)
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def ready(self, timeout: float) -> None:
        with self.daemon.supervisor() as supervisor:
            self._readiness.wait(supervisor, timeout)

    def retire(self) -> Applied:
        try:
            with self.daemon.supervisor() as supervisor:
                _added, _changed, removed = supervisor.reload()
                self._end(supervisor, removed)
                return Applied(removed=names(removed))
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def running(self) -> tuple[str, ...]:
        programs = self._programs() or {}
        return names(one.name for one in programs.values() if one.state in RUNNING)

    def leftovers(self) -> bool:
        left = (self.daemon.socket, self.daemon.pidfile, self.folder / LOGS)
        return any(path.exists() for path in left) or bool(self.daemon.masters() or self.daemon.members())

    def absent(self) -> tuple[str, ...]:
        ran = self.running()
        if self.daemon.is_alive():
            self.daemon.stop(self._patience())
        self.daemon.clear(self._patience())
        self.daemon.forget()
        return ran

    # Preflight

    def _preflight_programs(self) -> None:
        wanted = {"supervisord": (self.daemon.executable, Path("/"))}
        for one in self.workloads.values():
            wanted[one.name] = (one.command[0], self.folder / one.directory)
        # A program of the folder itself may be among the files that are yet to be written.
        told: dict[str, str] = {}
        for name, (program, folder) in wanted.items():
            inside = "/" in program and (folder / program).is_relative_to(self.folder)
            if not inside and program not in told and (why := executables.trouble(program, folder)):
                told[program] = f"{name} cannot be started: {why}"
        if told:
            raise PlatformUnavailable("; ".join(told.values()))

    def _preflight_ports(self) -> None:
        wanted = [
            host_ports.Wanted(one.name, port.number, self.bind, port.protocol)
            for one in self.workloads.values()
            for port in one.ports
        ]
        foreign: list[tuple[host_ports.Wanted, host_ports.Listener]] = []

        def is_settled() -> bool:
            taken = host_ports.taken(wanted)
            foreign[:] = self._not_ours(taken) if taken else []
            return not any(host_ports.is_going(found) for _one, found in foreign)

        wait(is_settled, 5)
        if foreign:
            raise PlatformRefused(
                host_ports.complaint({one: host_ports.describe(found) for one, found in foreign})
            )

    def _not_ours(
        self, taken: Iterable[tuple[host_ports.Wanted, host_ports.Listener]]
    ) -> list[tuple[host_ports.Wanted, host_ports.Listener]]:
        """Leave out what our own programs hold: those of supervisord first, then all that ever came from it."""
        programs = self._programs() or {}
        running = {one.name: one.pid for one in programs.values() if one.pid}
        own = {inode for pid in running.values() for inode in host_ports.inodes(pid)}
        left = [(one, found) for one, found in taken if found.inode not in own]
        if any(not found.inode for _one, found in left):  # no /proc here
            left = [(one, found) for one, found in left if found.inode or one.workload not in running]
        if left:
            own = {inode for pid in self.daemon.members() for inode in host_ports.inodes(pid)}
        return [(one, found) for one, found in left if found.inode not in own]

    # Change

    def _converge(self, supervisor: Supervisor) -> Applied:
        added, changed, removed = supervisor.reload()
        self._end(supervisor, changed)
        in_the_way = self._in_the_way(removed, {*added, *changed})
        self._end(supervisor, in_the_way)
        rank = ranks(self.workloads.values())
        for name in sorted({*added, *changed}, key=lambda name: (rank.get(name, 0), name)):
            supervisor.add(name)
        programs = self._noticed(supervisor)
        woken = []
        for name in sorted(self.workloads, key=lambda name: (rank[name], name)):
            program = programs.get(name)
            if program and program.state in RUNNING and processes.is_stopped(program.pid):
                processes.resume(program.pid)
                woken.append(name)
            elif program and program.state not in RUNNING:
                self._start(supervisor, program)
                woken.append(name)
        return Applied(names({*added, *woken} - {*changed}), names(changed), names(in_the_way))

    def _noticed(self, supervisor: Supervisor) -> dict[str, Program]:
        """Return all programs when supervisord knows of each that has just ended."""

        def is_known() -> bool:
            running = (one for one in supervisor.programs().values() if one.state in RUNNING)
            return all(processes.is_alive(one.pid) for one in running if one.pid)

        wait(is_known, 60)
        return supervisor.programs()

    def _start(self, supervisor: Supervisor, program: Program) -> None:
        if program.state in ("BACKOFF", "STOPPING"):
            supervisor.stop(program.name)
            self._wait_for_end(supervisor, [program.name])
        supervisor.start(program.name)

    def _end(self, supervisor: Supervisor, programs: Sequence[str]) -> None:
        """Stop programs side by side, with all their descendants, and forget them."""
        for name in programs:
            supervisor.stop(name)
        self._wait_for_end(supervisor, programs)
        for name in programs:
            supervisor.remove(name)
        for name in programs:
            processes.end(self.daemon.members(name), 1)
            for log in self.folder.glob(f"{log_path(name)}*") if name not in self.workloads else ():
                log.unlink(missing_ok=True)

    def _wait_for_end(self, supervisor: Supervisor, programs: Sequence[str]) -> None:
        def ended() -> bool:
            states = supervisor.programs()
            return all(
                name not in states or states[name].state not in (*RUNNING, "STOPPING") for name in programs
            )

        if not wait(ended, self._patience()):
            raise PlatformFailed(f"{', '.join(programs)} cannot be stopped, not even by SIGKILL")

    def _in_the_way(self, removed: Sequence[str], starting: set[str]) -> list[str]:
        """Return which of `removed` have a port that something of `starting` is to get."""
        if not removed:
            return []
        wanted = [
            host_ports.Wanted(name, port.number, self.bind, port.protocol)
            for name in starting
            if name in self.workloads
            for port in self.workloads[name].ports
        ]
        inodes = {found.inode for _one, found in host_ports.taken(wanted)}
        return [
            name
            for name in removed
            if any(inodes & host_ports.inodes(pid) for pid in self.daemon.members(name))
        ]

    # What is the case

    def _programs(self) -> dict[str, Program] | None:
        """Return what supervisord runs, None where there is none."""
        with self.daemon.supervisor() as supervisor:
            try:
                return supervisor.programs()
            except SupervisorError:
                return None

    def _patience(self) -> float:
        return max((one.stop_seconds for one in self.workloads.values()), default=10) + 5
