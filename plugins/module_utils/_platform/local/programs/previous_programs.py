# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return to the programs of the previous document after a change has failed.

A previous program that still serves continues. An Envoy that has handed over its sockets, or its admin interface, cannot take them
back: a further generation with the previous configuration takes over from the Envoy that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    sections,
    with_next_generation,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs import (
    base_ids,
    program_logs,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.envoy_identity import (
    EnvoyIdentity,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.program_replacer import (
    ProgramReplacer,
    parents_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    wait_until,
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
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import EPOCH
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

START_TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class PreviousPrograms:
    """The document to return to.

    Attributes:
        document: The text of supervisord.conf.
        generations: The generation of each workload that has another one than in the previous document.
        parents: The program from which each further generation takes over.
    """

    document: str
    generations: Mapping[str, int] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)


def stop_failed_successors(client: Supervisor, replacer: ProgramReplacer) -> None:
    """Stop the Envoys that have not taken over. Otherwise supervisord starts them again, and they take over with the restored files.

    They are killed, because an Envoy that ends at SIGTERM ends its parent too, which still serves (seen with 1.40).

    Raises:
        PlatformFailed: An Envoy still runs.
        SupervisorError: supervisord does not answer.
    """
    active = client.programs()
    failed = [
        replacer.workloads[name].program
        for name, way in replacer.plan.replaced.items()
        if way == "hot_restart"
        and replacer.workloads[name].program in active
        and not has_taken_over(replacer.workloads[name], replacer.admins, active)
    ]
    replacer.control.kill(client, failed)


def has_taken_over(workload: Workload, admins: Mapping[str, str], programs: Mapping[str, Program]) -> bool:
    """Return whether the Envoy of a workload runs and serves."""
    program = programs.get(workload.program)
    return (
        program is not None
        and program.state in RUNNING
        and workload.name in admins
        and not EnvoyIdentity(admins[workload.name], workload.generation).problem()
    )


def previous_programs(
    document: str,
    workloads: Mapping[str, Workload],
    admins: Mapping[str, str],
    programs: Mapping[str, Program],
) -> PreviousPrograms:
    """Return what to return to.

    Args:
        document: The previous text of supervisord.conf.
        workloads: The workloads of the change that failed, by name.
        admins: The URL of the admin interface of each Envoy.
        programs: The programs of supervisord.
    """
    numbers: dict[str, int] = {}
    parents: dict[str, str] = {}
    for program, section in sections(document).items():
        name = workload_name(program)
        workload = workloads.get(name)
        running = programs.get(program)
        if (
            workload is None
            or workload.program == program
            or name not in admins
            or f"{EPOCH} " not in section
            or running is None
            or running.state not in RUNNING
            or EnvoyIdentity(admins[name], generation_of(program)).answers()
        ):
            continue
        parents[name] = workload.program if has_taken_over(workload, admins, programs) else program
        numbers[name] = generation_of(parents[name]) + 1
        following = f"{name}.{numbers[name]}"
        document = with_next_generation(document, program, following)
    return PreviousPrograms(document, numbers, parents)


def restore(client: Supervisor, previous: PreviousPrograms, replacer: ProgramReplacer) -> None:
    """Make supervisord run the programs of `previous`, whose document is written. Raises PlatformFailed, SupervisorError."""
    folder, workloads, admins = replacer.folder, replacer.workloads, replacer.admins
    control, connections, drain_timeout = replacer.control, replacer.connections, replacer.drain_timeout
    active = client.programs()
    listed = sections(previous.document)
    parents = {*previous.parents.values()}
    renewed = {f"{name}.{number}" for name, number in previous.generations.items()}
    failed = [
        one.program
        for one in workloads.values()
        if one.program in active
        and one.program not in parents
        and (one.program not in listed or one.program in renewed)
    ]
    connections.wait_until_unused(dict.fromkeys(failed, ()), drain_timeout)
    control.remove(client, failed)
    added, changed, removed = client.reload()
    control.remove(client, changed)
    ending = [one for one in removed if workload_name(one) in previous.generations and one not in parents]
    connections.wait_until_unused(_ports(ending, workloads), drain_timeout)
    for program in sorted({*added, *changed}, key=[*listed].index):
        program_logs.make_way(folder, program)
        client.add(program)
    _wait_until_running(client, listed, admins, renewed)
    # Also of an Envoy that the failed change has not touched: its parent may still run.
    parents |= parents_of(client.programs(), [name for name, text in listed.items() if f"{EPOCH} " in text])
    left = [program for program in removed if program not in parents]
    connections.wait_until_unused(_ports(left, workloads), drain_timeout)
    control.remove(client, left)
    by_workload = generations(listed)
    for program in removed:
        if workload_name(program) in previous.generations:
            program_logs.replace_log(folder, by_workload[workload_name(program)][0], program)
    base_ids.release(folder)


def _ports(programs: Iterable[str], workloads: Mapping[str, Workload]) -> dict[str, list[int]]:
    """Return the ports of programs that have handed over: those of their workloads."""
    known = {program: workloads.get(workload_name(program)) for program in programs}
    return {
        program: [port.number for port in workload.ports if port.protocol == "tcp"] if workload else []
        for program, workload in known.items()
    }


def _wait_until_running(
    client: Supervisor, listed: Mapping[str, str], admins: Mapping[str, str], renewed: set[str]
) -> None:
    waiting: list[str] = []

    def run() -> bool:
        states = client.programs()
        waiting[:] = [
            name
            for name in listed
            if name not in states
            or states[name].state != "RUNNING"
            or (name in renewed and EnvoyIdentity(admins[workload_name(name)], generation_of(name)).problem())
        ]
        return not waiting

    if not wait_until(run, START_TIMEOUT):
        names = ", ".join(map(workload_name, waiting))
        raise PlatformFailed(f"{names}: does not run again after {START_TIMEOUT} s")
