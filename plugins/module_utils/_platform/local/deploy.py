# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys workloads as processes under supervisord, as the current user, below one folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    HostDeployer,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
    admin_workload,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.boot_links import BootLinks
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    FILE,
    LOGS,
    sections,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_check import check_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_reservation import (
    PortReservations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs import base_ids
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.hot_restart_version import (
    incompatible_versions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.previous_programs import (
    PreviousPrograms,
    previous_programs,
    restore,
    stop_failed_successors,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.program_replacer import (
    ProgramReplacer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.replacement_plan import (
    ReplacementPlan,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import LocalReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages import environments
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    workload_name,
)


class LocalDeployer(HostDeployer):
    """The deployer of processes; see `deployer.Deployer`."""

    document_path = FILE
    can_restore = True

    def __init__(self, spec: DeploymentSpec) -> None:
        """Make a deployer for the supervisord of the state folder."""
        self.folder = spec.folder
        self.boot_links = BootLinks(spec.name, spec.folder, spec.files)
        self.bind = spec.bind
        self.workloads = {workload.name: workload for workload in spec.workloads}
        self.supervisord = SupervisordProcess(spec.folder, spec.supervisord)
        self.warnings: Sequence[str] = ()
        admins = {admin_workload(admin): admin["url"] for admin in spec.admins}
        self._progress = spec.progress
        self._readiness = LocalReadiness(spec.folder, self.workloads, progress=spec.progress)
        self._ports = PortReservations()
        self._previous = PreviousPrograms("")
        self._replacer = ProgramReplacer(
            spec.folder,
            self.workloads,
            self.supervisord,
            admins,
            self._needed_ports,
            self._stop_timeout(),
            spec.drain_timeout,
        )

    def location(self) -> str:
        """Return `local`."""
        return "local"

    def preflight(self) -> None:
        """Check the length of the socket's path, the ports and the executables. Raises PlatformRefused."""
        if problem := self.supervisord.path_problem():
            raise PlatformRefused(problem)
        self.boot_links.check()
        needed = [*self._needed_ports(self.workloads), *base_ids.needed(self.workloads.values())]
        self._ports.reserve(needed)
        check_ports(needed, self.workloads, self.supervisord, self._programs)
        self._check_executables()
        self._check_hot_restart()

    def missing_images(self) -> tuple[str, ...]:
        """Return the virtual environments that do not exist. Processes have no images."""
        return environments.missing_environments(self.workloads.values())

    def pull_images(self, images: Iterable[str]) -> None:
        """Create virtual environments. Roles install other executables before. Raises PlatformRefused."""
        environments.create_environments(self.workloads.values(), images, self._progress)

    def prepare_start(self) -> None:
        """Load the modules of a supervisord, unless one runs."""
        self.supervisord.preload()

    def predict(self, document: str) -> AppliedChanges:
        """Compare the sections of the document with those on disk, and with the programs that run."""
        new = sections(document)
        programs = self._programs()
        if programs is None:
            return AppliedChanges(started=sorted_names(map(workload_name, new)))
        try:
            old = sections(self.supervisord.document.read_text(encoding="utf-8"))
        except OSError:
            old = {}
        changed = {name for name in old if name in new and old[name] != new[name]}
        removed = {*old} - {*new}
        plan = self._replacer.replacement_plan_for({*new} - {*old}, changed, removed)
        stopped = {name for name in old if name not in programs or programs[name].state not in RUNNING}
        return AppliedChanges(
            started=sorted_names([*plan.started(), *map(workload_name, {*new} & stopped - changed)]),
            restarted=sorted_names(plan.replaced),
            removed=sorted_names({*map(workload_name, removed)} - {*self.workloads}),
            replaced=dict(plan.replaced),
        )

    def apply(self) -> AppliedChanges:
        """Start supervisord, or reload its document and start and replace programs. Raises PlatformFailed."""
        self._readiness = LocalReadiness(self.folder, self.workloads, progress=self._progress)
        self._replacer.plan = ReplacementPlan()
        base_ids.record(self.folder)
        if not self.supervisord.is_running():
            self.supervisord.clear(self._stop_timeout())
            self._replacer.make_way(self.workloads.values())
            self.supervisord.start()
            return AppliedChanges(started=sorted_names(self.workloads))
        try:
            with self.supervisord.client() as client:
                return self._replacer.apply_document(client)
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def wait_until_ready(self, timeout: float) -> None:
        """Return when every program is ready. The replicas of a group are replaced one after another. Raises PlatformFailed."""
        try:
            with self.supervisord.client() as client:
                self._expect_successors()
                later = {workload.name for wave in self._replacer.plan.waves for workload in wave}
                self._readiness.wait(client, timeout, [name for name in self.workloads if name not in later])
                while self._replacer.plan.waves:
                    wave = self._replacer.start_wave(client)
                    self._expect_successors()
                    self._readiness.wait(client, timeout, [workload.name for workload in wave])
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def _expect_successors(self) -> None:
        """Wait for the Envoys that take over: until then the previous ones answer on the same ports."""
        for name, way in self._replacer.plan.replaced.items():
            if way == "hot_restart" and name in self._replacer.admins:
                self._readiness.taking_over[name] = self._replacer.identity(self.workloads[name])

    def remove_unlisted(self) -> AppliedChanges:
        """Stop and remove the programs that the document does not list, and a unit that is not listed. Raises PlatformFailed.

        A program that was replaced is stopped when no client uses it.
        """
        self.boot_links.apply()
        try:
            with self.supervisord.client() as client:
                _added, _changed, removed = client.reload()
                removed = self._replacer.without_parents(client, removed)
                self._replacer.wait_until_unused(removed)
                self._replacer.remove(client, removed)
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None
        base_ids.release(self.folder)
        names = {*map(workload_name, removed)}
        replaced = {name: way for name, way in self._replacer.plan.replaced.items() if name in names}
        return AppliedChanges(
            restarted=sorted_names(replaced),
            removed=sorted_names(names - {*self.workloads}),
            replaced=dict(replaced),
        )

    def previous_document(self, document: str) -> tuple[str, dict[str, int]]:
        """Return the document to return to, and the generations that it has in place of those of `document`."""
        try:
            with self.supervisord.client() as client:
                stop_failed_successors(client, self._replacer)
                programs = client.programs()
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None
        self._previous = previous_programs(document, self.workloads, self._replacer.admins, programs)
        return self._previous.document, dict(self._previous.generations)

    def restore(self) -> None:
        """Run the programs of the previous document again, which is written. Raises PlatformFailed."""
        try:
            with self.supervisord.client() as client:
                restore(client, self._previous, self._replacer)
        except SupervisorError as error:
            raise PlatformFailed(str(error)) from None

    def running_workloads(self) -> tuple[str, ...]:
        """Return the workloads whose programs run."""
        programs = (self._programs() or {}).values()
        return sorted_names(workload_name(program.name) for program in programs if program.state in RUNNING)

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
        base_ids.release(self.folder, all_ended=True)
        self.supervisord.remove_logs()
        self.boot_links.disable()
        return ran

    def close(self) -> None:
        """Release the reserved ports, and end a supervisord that was not started."""
        self._ports.release()
        self.supervisord.discard()

    # Preflight

    def _check_executables(self) -> None:
        needed = {"supervisord": (self.supervisord.executable, Path("/"))}
        for workload in self.workloads.values():
            program = environments.existing_program(workload)
            needed[workload.name] = (program, self.folder / workload.directory)
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

    def _check_hot_restart(self) -> None:
        """Warn of Envoys that cannot take over from the running ones."""
        for program in (self._programs() or {}).values():
            workload = self.workloads.get(workload_name(program.name))
            if workload is None or workload.replacement != "hot_restart" or program.name == workload.program:
                continue
            executable = executables.found(workload.command[0], self.folder / workload.directory)
            if program.pid and (versions := incompatible_versions(program.pid, executable)):
                self._replacer.stopping.add(workload.name)
                warning = (
                    f"{workload.name}: the running Envoy cannot hand over to {executable}: their hot-restart versions are"
                    f" {versions[0]} and {versions[1]}. It is stopped first, which interrupts its requests."
                )
                self.warnings = (*self.warnings, warning)

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
