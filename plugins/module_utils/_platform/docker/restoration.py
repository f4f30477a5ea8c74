# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return to the containers of the previous document after a change has failed.

A previous container that still serves continues. An Envoy that has handed over its sockets, or its admin interface, cannot take them
back: a further generation with the previous configuration takes over from the Envoy that has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import Deadline, attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    DEFINITION,
    ListedContainer,
    definitions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import escaped
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.draining import (
    LONGEST_READ,
    HotRestart,
    remove_shared_memory,
    without_parents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project import (
    Project,
    stale_services,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    start_prefix,
    with_epoch,
)

START_TIMEOUT = 60  # seconds since the last container that runs
_JOINED = "service:"  # the network mode of a container in the network of a service


@dataclass(frozen=True)
class PreviousContainers:
    """The document to return to.

    Attributes:
        document: The text of compose.yaml.
        generations: The generation of each workload that has another one than in the previous document.
        parents: The services from which further generations take over.
    """

    document: str
    generations: Mapping[str, int] = field(default_factory=dict)
    parents: frozenset[str] = frozenset()


def previous_containers(
    document: str, docker: DockerCommand, project: Project, admins: Sequence[Mapping[str, Any]]
) -> PreviousContainers:
    """Return what to return to, and end the Envoys that failed: Docker would start them again with the files that are restored.

    Args:
        document: The previous text of compose.yaml.
        docker: The docker command of the project.
        project: The containers, with the workloads of the change that failed.
        admins: The plan's `admins`.
    """
    project.all = docker.containers()
    needed = definitions(document)
    current = {one.service: one for one in project.own}
    failed: list[ListedContainer] = []
    parents: dict[str, tuple[str, ListedContainer]] = {}
    for name, workload in project.workloads.items():
        admin = HotRestart.of(name, admins) if workload.replacement == "hot_restart" else None
        # Also one that its successor has ended meanwhile: the successor serves, and must hand over what it has.
        before = [one for one in project.unlisted if one.workload == name and one.service in needed]
        if admin is None or not before:
            continue
        successor = current.get(project.service_of[name])
        if successor and not admin.problem(workload.generation, LONGEST_READ):
            parents[name] = before[0].service, successor
        else:
            failed += [successor] if successor else []
            parents[name] = before[0].service, before[0]
    _remove(docker, project, failed)
    generations: dict[str, int] = {}
    renewed: dict[str, str] = {}
    for name, (service, parent) in parents.items():
        admin = HotRestart.of(name, admins)
        if parent.service != service or (admin and admin.problem(parent.generation, LONGEST_READ)):
            generations[name] = parent.generation + 1
            renewed[service] = f"{name}-g{parent.generation + 1}"
    if not renewed:
        return PreviousContainers(document)
    data = _read(docker, document)
    services = {renewed.get(name, name): one for name, one in data["services"].items()}
    for name in renewed.values():
        _renew(name, services[name])
    text = json.dumps({**data, "services": services}, indent=2)
    kept = frozenset(parents[name][1].service for name in generations)
    return PreviousContainers(f"{text}\n", generations, kept)


def restore(
    docker: DockerCommand, project: Project, previous: PreviousContainers, admins: Sequence[Mapping[str, Any]]
) -> None:
    """Run the containers of `previous`, whose document is written. Raises PlatformFailed."""
    needed = definitions(previous.document)
    services = _read(docker, previous.document)["services"]
    holders = {
        name: one["network_mode"].partition(_JOINED)[2]
        for name, one in services.items()
        if str(one.get("network_mode", "")).startswith(_JOINED)
    }
    project.all = docker.containers()
    kept = {*needed, *previous.parents}
    # Also the Envoys that the failed change has not touched, and whose parents still run.
    successors = [
        (one.workload, one.generation) for one in project.own if one.service in kept and one.workload
    ]
    unneeded = [one for one in project.own if one.service not in kept]
    _remove(docker, project, without_parents(docker, unneeded, successors))
    # Docker must not start an Envoy again that its further generation ends.
    if parents := [one.id for one in project.own if one.service in previous.parents]:
        docker.run("update", "--restart", "no", *parents)
    remove_shared_memory(docker, project, {*previous.generations} & {*project.incompatible})
    containers = [docker.container_name(service) for service in needed]
    inspected = docker.inspect(containers)
    stale = stale_services(needed, inspected, holders)
    if stale:
        missing = {holders[one] for one in stale if one in holders} - {*inspected}
        _up(docker, "--force-recreate", "--no-deps", *sorted(stale | missing))
    _up(docker, "--no-recreate")
    inspected = docker.inspect(containers)
    docker.run("update", "--restart", "unless-stopped", *(one.id for one in inspected.values()))
    detached = [
        inspected[service].id
        for service, holder in holders.items()
        if service in inspected and inspected[service].started < inspected[holder].started
    ]
    docker.run_each("restart", detached)
    _wait(docker, needed, previous, admins)


def _wait(
    docker: DockerCommand,
    needed: Mapping[str, str],
    previous: PreviousContainers,
    admins: Sequence[Mapping[str, Any]],
) -> None:
    waiting: list[str] = []
    deadline = Deadline(START_TIMEOUT)
    for left in attempts(deadline):
        inspected = docker.inspect(map(docker.container_name, needed))
        waiting = [name for name in needed if name not in inspected or inspected[name].status != "running"]
        for name, generation in previous.generations.items():
            admin = HotRestart.of(name, admins)
            if admin and admin.problem(generation, max(left, 1.0)):
                waiting.append(name)
        if not waiting:
            return
        deadline.note(-len(waiting))
    raise PlatformFailed(f"{', '.join(waiting)}: does not run again after {START_TIMEOUT} s without progress")


def _read(docker: DockerCommand, document: str) -> dict[str, Any]:
    """Return a document as data, in which compose has escaped `$` as in a file."""
    result = docker.compose("config", "--format", "json", document=document)
    if result.exit_code:
        raise PlatformFailed(f"`docker compose config` fails: {result.last_line}")
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def _renew(name: str, service: dict[str, Any]) -> None:
    """Make the service of an Envoy one of a further generation, whose name is `name`."""
    number = int(name.rpartition("-g")[2])
    words = with_epoch([*service["entrypoint"], *service["command"]], number)
    if "-c" not in words[:2]:  # the command of a later generation already starts with these words
        words = (*map(escaped, start_prefix(words)), *words)
    service["entrypoint"], service["command"] = [*words[:1]], [*words[1:]]
    service["labels"][DEFINITION] = f"{name}.{service['labels'][DEFINITION].rpartition('.')[2]}"


def _up(docker: DockerCommand, *arguments: str) -> None:
    result = docker.compose_up(*arguments)
    if result.exit_code:
        raise PlatformFailed(f"`docker compose up` fails: {result.last_line}")


def _remove(docker: DockerCommand, project: Project, containers: Sequence[ListedContainer]) -> None:
    """Remove containers. An Envoy gets no signal that it can act on: at SIGTERM, it ends its parent, which serves."""
    workloads = project.workloads
    stopped = [
        one.id
        for one in containers
        if one.workload not in workloads or workloads[one.workload].replacement != "hot_restart"
    ]
    docker.run_each("stop", stopped)
    ids = [one.id for one in containers]
    if ids:
        docker.remove(ids)
        project.forget(containers)
