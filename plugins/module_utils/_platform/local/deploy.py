# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys workloads as processes under supervisord, as the current user, below one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports, host_processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    HostDeployer,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.boot_links import BootLinks
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    FILE,
    LOGS,
    log_path,
    sections,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_check import check_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_reservation import (
    PortReservations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import LocalReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    LONGEST_SOCKET,
    SupervisordProcess,
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    Supervisor,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import ranks

DEATHS_TIMEOUT = 60  # seconds until supervisord has waited for a program that ended


class LocalDeployer(HostDeployer):
    """The deployer of processes; see `deployer.Deployer`."""

    document_path = FILE

    def __init__(self, spec: DeploymentSpec) -> None:
        """Make a deployer for the supervisord of the state folder."""
        self.folder = spec.folder
        self.boot_links = BootLinks(spec.name, spec.folder, spec.files)
        self.bind = spec.bind
        self.workloads = {workload.name: workload for workload in spec.workloads}
        self.supervisord = SupervisordProcess(spec.folder, spec.supervisord)
        self._readiness = LocalReadiness(spec.folder, self.workloads)
        self._ports = PortReservations()

    def location(self) -> str:
        """Return `local`."""
        return "local"

    def preflight(self) -> None:
        """Check the length of the socket's path, the ports and the executables. Raises PlatformRefused."""
        length = len(os.fsencode(self.supervisord.socket))
        if length > LONGEST_SOCKET:
            raise PlatformRefused(
                f"{self.supervisord.socket}: the path has {length} bytes, but a Unix socket allows {LONGEST_SOCKET}."
                " Choose a shorter folder"
            )
        self.boot_links.check()
        self._ports.reserve(self._needed_ports(self.workloads))
        check_ports(self._needed_ports(self.workloads), self.workloads, self.supervisord, self._programs)
        self._check_executables()

    def missing_images(self) -> tuple[str, ...]:
        """Return nothing: processes have no images."""
        return ()

    def pull_images(self, images: Iterable[str]) -> None:
        """Return at once: roles install the executables before."""

    def predict(self, document: str) -> AppliedChanges:
        """Compare the sections of the document with those on disk, and with the programs that run."""
        new = sections(document)
        programs = self._programs()
        if programs is None:
            return AppliedChanges(started=sorted_names(new))
        try:
            old = sections(self.supervisord.document.read_text(encoding="utf-8"))
        except OSError:
            old = {}
        stopped = {name for name in old if name not in programs or programs[name].state not in RUNNING}
        changed = {name for name in old if name in new and old[name] != new[name]}
        return AppliedChanges(
            started=sorted_names(({*new} - {*old}) | ({*new} & stopped - changed)),
            restarted=sorted_names(changed),
            removed=sorted_names({*old} - {*new}),
        )

    def apply(self) -> AppliedChanges:
        """Start supervisord, or reload its document and start and restart programs. Raises PlatformFailed."""
        self._readiness = LocalReadiness(self.folder, self.workloads)
        if not self.supervisord.is_running():
            self.supervisord.clear(self._stop_timeout())
            self.supervisord.start()
            return AppliedChanges(started=sorted_names(self.workloads))
        try:
            with self.supervisord.client() as client:
                return self._apply_document(client)
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def wait_until_ready(self, timeout: float) -> None:
        """Return when every program is ready. Raises PlatformFailed."""
        with self.supervisord.client() as client:
            self._readiness.wait(client, timeout)

    def remove_unlisted(self) -> AppliedChanges:
        """Stop and remove the programs that the document does not list, and a unit that is not listed. Raises PlatformFailed."""
        self.boot_links.apply()
        try:
            with self.supervisord.client() as client:
                _added, _changed, removed = client.reload()
                self._remove(client, removed)
                return AppliedChanges(removed=sorted_names(removed))
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def running_workloads(self) -> tuple[str, ...]:
        """Return the programs of supervisord that run."""
        programs = self._programs() or {}
        return sorted_names(program.name for program in programs.values() if program.state in RUNNING)

    def is_deployed(self) -> bool:
        """Return whether supervisord, one of its files or one of its programs is left."""
        files = (self.supervisord.socket, self.supervisord.pidfile, self.folder / LOGS)
        return any(path.exists() for path in files) or bool(
            self.supervisord.supervisord_pids()
            or self.supervisord.program_pids()
            or self.boot_links.is_enabled()
        )

    def remove_all(self) -> tuple[str, ...]:
        """Stop the programs and supervisord, and remove their logs; return the programs that ran. Raises PlatformFailed."""
        ran = self.running_workloads()
        if self.supervisord.is_running():
            self.supervisord.stop(self._stop_timeout())
        self.supervisord.clear(self._stop_timeout())
        self.supervisord.remove_logs()
        self.boot_links.disable()
        return ran

    def close(self) -> None:
        """Release the reserved ports."""
        self._ports.release()

    # Preflight

    def _check_executables(self) -> None:
        needed = {"supervisord": (self.supervisord.executable, Path("/"))}
        for workload in self.workloads.values():
            needed[workload.name] = (workload.command[0], self.folder / workload.directory)
        problems: dict[str, str] = {}
        for name, (program, folder) in needed.items():
            # An executable in the state folder may be among the files that are written later.
            is_own = "/" in program and (folder / program).is_relative_to(self.folder)
            if not is_own and program not in problems and (text := executables.problem(program, folder)):
                problems[program] = f"{name} cannot be started: {text}"
        if problems:
            raise PlatformUnavailable("; ".join(problems.values()))

    def _needed_ports(self, names: Iterable[str]) -> list[host_ports.NeededPort]:
        return [
            host_ports.NeededPort(name, port.number, self.bind, port.protocol)
            for name in names
            if name in self.workloads
            for port in self.workloads[name].ports
        ]

    # Apply

    def _apply_document(self, client: Supervisor) -> AppliedChanges:
        added, changed, removed = client.reload()
        self._remove(client, changed)
        blocking = self._with_needed_ports(removed, {*added, *changed})
        self._remove(client, blocking)
        rank = ranks(self.workloads.values())
        for name in sorted({*added, *changed}, key=lambda name: (rank.get(name, 0), name)):
            client.add(name)
        programs = self._settled_programs(client)
        resumed = []
        for name in sorted(self.workloads, key=lambda name: (rank[name], name)):
            program = programs.get(name)
            if program and program.state in RUNNING and host_processes.is_stopped(program.pid):
                host_processes.resume(program.pid)
                resumed.append(name)
            elif program and program.state not in RUNNING:
                self._start(client, program)
                resumed.append(name)
        return AppliedChanges(
            sorted_names({*added, *resumed} - {*changed}), sorted_names(changed), sorted_names(blocking)
        )

    def _settled_programs(self, client: Supervisor) -> dict[str, Program]:
        """Return all programs as soon as supervisord has noticed each program that just ended."""

        def is_settled() -> bool:
            running = (program for program in client.programs().values() if program.state in RUNNING)
            return all(host_processes.is_alive(program.pid) for program in running if program.pid)

        wait_until(is_settled, DEATHS_TIMEOUT)
        return client.programs()

    def _start(self, client: Supervisor, program: Program) -> None:
        if program.state in ("BACKOFF", "STOPPING"):
            client.stop(program.name)
            self._wait_until_stopped(client, [program.name])
        client.start(program.name)

    def _remove(self, client: Supervisor, programs: Sequence[str]) -> None:
        """Stop programs at once, with all their descendants, and remove them from supervisord."""
        for name in programs:
            client.stop(name)
        self._wait_until_stopped(client, programs)
        for name in programs:
            client.remove(name)
        for name in programs:
            host_processes.end(self.supervisord.program_pids(name), 1)
            for log in file_tree.names(self.folder, LOGS) if name not in self.workloads else ():
                if f"{LOGS}/{log}".startswith(log_path(name)):
                    file_tree.remove_file(self.folder, f"{LOGS}/{log}")

    def _wait_until_stopped(self, client: Supervisor, programs: Sequence[str]) -> None:
        def are_stopped() -> bool:
            states = client.programs()
            return all(
                name not in states or states[name].state not in (*RUNNING, "STOPPING") for name in programs
            )

        if not wait_until(are_stopped, self._stop_timeout()):
            raise PlatformFailed(f"{', '.join(programs)}: still runs after SIGKILL")

    def _with_needed_ports(self, removed: Sequence[str], starting: set[str]) -> list[str]:
        """Return which of the `removed` programs have a port that a program of `starting` needs."""
        if not removed:
            return []
        used = host_ports.used_ports(self._needed_ports(starting))
        inodes = {listener.inode for _port, listener in used}
        return [
            name
            for name in removed
            if any(inodes & host_ports.socket_inodes(pid) for pid in self.supervisord.program_pids(name))
        ]

    # State

    def _programs(self) -> dict[str, Program] | None:
        """Return the programs of supervisord, None where it does not answer."""
        with self.supervisord.client() as client:
            try:
                return client.programs()
            except SupervisorError:
                return None

    def _stop_timeout(self) -> float:
        return max((workload.stop_seconds for workload in self.workloads.values()), default=10) + 5
