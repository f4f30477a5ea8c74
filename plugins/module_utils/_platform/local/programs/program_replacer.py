# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace the programs of one supervisord by those of its document."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports, host_processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import DIGEST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs import program_logs
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.envoy_identity import (
    EnvoyIdentity,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.program_control import (
    ProgramControl,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.replacement_plan import (
    ReplacementPlan,
    leftovers,
    replacement_plan,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.server_connections import (
    ServerConnections,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    Supervisor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    generation_of,
    generations,
    workload_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    BASE_ID,
    option,
    remove_shared_memory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Replacement,
    Workload,
    ranks,
)


class ProgramReplacer:
    """The replacement of programs in one deployment.

    Args:
        folder: The deployment folder.
        workloads: The workloads by name.
        supervisord: The supervisord of the folder.
        admins: The URL of the admin interface of each Envoy, by workload.
        needed_ports: Returns the ports of workloads.
        stop_timeout: Seconds for a program to end.
        drain_timeout: Seconds to wait for the clients of a program that was replaced.
    """

    def __init__(
        self,
        folder: Path,
        workloads: Mapping[str, Workload],
        supervisord: SupervisordProcess,
        admins: Mapping[str, str],
        needed_ports: Callable[[Iterable[str]], list[host_ports.NeededPort]],
        stop_timeout: float,
        drain_timeout: float,
    ) -> None:
        self.folder = folder
        self.workloads = workloads
        self.supervisord = supervisord
        self.drain_timeout = drain_timeout
        self.control = ProgramControl(supervisord, stop_timeout)
        self.connections = ServerConnections(supervisord)
        self.plan = ReplacementPlan()
        # The workloads that are stopped first, because their Envoys cannot hand over to each other.
        self.stopping: set[str] = set()
        self.admins = admins
        self._needed_ports = needed_ports

    def apply_document(self, client: Supervisor) -> AppliedChanges:
        """Read the document, start the first wave, and start what should run. Raises PlatformFailed, SupervisorError."""
        added, changed, removed = client.reload()
        blocking = self._with_needed_ports(removed, {*added, *changed})
        self.plan = plan = self.replacement_plan_for(added, changed, removed, blocking)
        resumed = self._resume(client, removed)
        self.remove(client, [name for name, users in blocking.items() if users != {workload_name(name)}])
        self.connections.note_ports(name for name in removed if workload_name(name) in plan.replaced)
        started = plan.started()
        if plan.waves:
            self.start_wave(client)
        gone = {*map(workload_name, blocking)} - {*self.workloads}
        return AppliedChanges(
            sorted_names([*started, *(name for name in resumed if name not in plan.replaced)]),
            sorted_names(plan.replaced),
            sorted_names(gone),
            replaced=dict(plan.replaced),
        )

    def start_wave(self, client: Supervisor) -> list[Workload]:
        """Start the next wave, and stop first what has to stop before; return its workloads."""
        wave = self.plan.waves.pop(0)
        self.wait_until_unused(self._grandparents(client, wave))
        self.remove(client, [name for one in wave for name in self.plan.stopped_before.get(one.name, ())])
        self.make_way(wave)
        for workload in wave:
            if workload.name in self.stopping:
                remove_shared_memory(filter(None, [option(workload.command, BASE_ID)]))
            client.add(workload.program)
        return wave

    def _grandparents(self, client: Supervisor, wave: Iterable[Workload]) -> list[str]:
        """Return the Envoys that end when the wave starts: an Envoy that gets a successor ends its own predecessor at once."""
        starting = {
            one.name: one.generation for one in wave if self.plan.replaced.get(one.name) == "hot_restart"
        }
        return [
            name
            for name, program in client.programs().items()
            if program.state in RUNNING and generation_of(name) < starting.get(workload_name(name), 0) - 1
        ]

    def _resume(self, client: Supervisor, removed: Sequence[str]) -> list[str]:
        """Start the programs that should run, and continue those that are frozen; return their workloads."""
        programs = self.control.settled(client)
        rank = ranks(self.workloads.values())
        resumed = []
        starting = {workload.name for wave in self.plan.waves for workload in wave}
        for name in sorted({*self.workloads} - starting, key=lambda name: (rank[name], name)):
            program = programs.get(self.workloads[name].program)
            if program is None:
                continue
            if program.state in RUNNING and host_processes.is_stopped(program.pid):
                host_processes.resume(program.pid)
                resumed.append(name)
            elif program.state not in RUNNING:
                self.control.start(client, program)
                resumed.append(name)
        for name in leftovers(self.workloads, self.plan, removed):
            # A previous generation that was restarted after it had been replaced has taken the admin interface.
            if (
                name in self.admins
                and name not in resumed
                and not self.identity(self.workloads[name]).answers()
            ):
                self.remove(client, generations(removed)[name])
                self.control.restart(client, self.workloads[name].program)
                resumed.append(name)
        return resumed

    def replacement_plan_for(
        self,
        added: Collection[str],
        changed: Collection[str],
        removed: Collection[str],
        blocking: Collection[str] = (),
    ) -> ReplacementPlan:
        """Return the plan for a document; see `replacement_plan`.

        A program that runs with the digest of its workload is not restarted: its section differs only in what changes live.
        """
        differing = {*changed} - self._current(changed) if changed else changed
        return replacement_plan(self.workloads, added, differing, removed, blocking, self.stopping)

    def remove(self, client: Supervisor, names: Sequence[str]) -> None:
        """Stop programs at once, remove them from supervisord, and remove the logs of workloads that do not exist any more."""
        self.control.remove(client, names)
        for name in names:
            workload = self.workloads.get(workload_name(name))
            if workload is None:
                program_logs.remove_logs(self.folder, [workload_name(name)])
            elif workload.program != name:
                program_logs.replace_log(self.folder, workload.program, name)

    def _current(self, programs: Iterable[str]) -> set[str]:
        """Return the programs that run with the digest of their workload."""
        digests = self.supervisord.values_by_program(programs, DIGEST)
        return {
            one.program
            for one in self.workloads.values()
            if one.digest and one.digest in digests.get(one.program, ())
        }

    def make_way(self, workloads: Iterable[Workload]) -> None:
        """Remove the symbolic links with the names of the logs of workloads that start."""
        for workload in workloads:
            program_logs.make_way(self.folder, workload.program)

    def wait_until_unused(self, removed: Sequence[str]) -> None:
        """Return when no client uses the programs to remove, or after the drain time."""
        ports = {}
        for name in removed:
            workload = self.workloads.get(workload_name(name))
            shared = workload.ports if workload and self.way(workload.name) == "hot_restart" else ()
            ports[name] = [port.number for port in shared if port.protocol == "tcp"]
        self.connections.wait_until_unused(ports, self.drain_timeout)

    def way(self, name: str) -> Replacement:
        """Return how a workload is replaced."""
        return "stop" if name in self.stopping else self.workloads[name].replacement

    def identity(self, workload: Workload) -> EnvoyIdentity:
        """Return the Envoy that a workload runs, which has an admin interface."""
        return EnvoyIdentity(self.admins[workload.name], workload.generation)

    def _with_needed_ports(self, removed: Sequence[str], starting: set[str]) -> dict[str, set[str]]:
        """Return which of the `removed` programs have a port that a starting program needs, with the workloads that need it."""
        needed = [one for one in self.workloads.values() if one.program in starting]
        if not removed or not needed:
            return {}
        used = host_ports.used_ports(self._needed_ports(one.name for one in needed))
        found = {}
        for name, pids in self.supervisord.pids_by_program(removed).items():
            inodes = {inode for pid in pids for inode in host_ports.socket_inodes(pid)}
            users = {port.workload for port, listener in used if listener.inode in inodes}
            owner = workload_name(name)
            if owner in self.workloads and self.way(owner) == "hot_restart":
                users.discard(owner)
            if users:
                found[name] = users
        return found

    def without_parents(self, client: Supervisor, removed: Sequence[str]) -> list[str]:
        """Return `removed` without the Envoys that have handed over: their successor ends them, after their last requests."""
        successors = [name for name, one in self.workloads.items() if self.way(name) == "hot_restart"]
        parents = parents_of(client.programs(), [self.workloads[name].program for name in successors])
        for name in parents & {*removed}:
            program_logs.replace_log(self.folder, self.workloads[workload_name(name)].program, name)
        return [name for name in removed if name not in parents]


def parents_of(programs: Mapping[str, Program], successors: Iterable[str]) -> set[str]:
    """Return the Envoys that run and have handed over to `successors`.

    A successor reads stats of its parent until it has ended it. If something else ends the parent, the successor aborts after 10 s
    (source/server/hot_restarting_base.cc in Envoy).
    """
    pairs = (
        (f"{name}.{number - 1}" if number > 1 else name, successor)
        for successor in successors
        for name, number in [(workload_name(successor), generation_of(successor))]
        if number
    )
    return {
        parent
        for parent, successor in pairs
        if parent in programs
        and successor in programs
        and {programs[parent].state, programs[successor].state} <= {*RUNNING}
    }
