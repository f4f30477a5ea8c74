# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of previous generations: an app has no connections left, and an Envoy is ended by its successor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import BlockingAdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import admin_workload
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    TIMEOUT,
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    ListedContainer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project import SERVING, Project
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    BASE_ID,
    option,
    shared_memory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

_NUMBER = re.compile(r"[\d.]{1,20}")
LONGEST_READ = 20.0  # seconds for one answer of an admin interface, also on a busy machine


@dataclass(frozen=True)
class HotRestart:
    """The admin interface of an Envoy that takes over from its previous generation.

    All its generations have the same address: the new Envoy opens it when it takes over.
    """

    admin: BlockingAdminClient

    @classmethod
    def of(cls, workload: str, admins: Iterable[Mapping[str, Any]]) -> HotRestart | None:
        """Return the takeover of the Envoy of a workload, None if the plan states no admin interface of it."""
        for one in admins:
            if admin_workload(one) == workload:
                return cls(BlockingAdminClient.at(one["url"], one.get("container") or ""))
        return None

    def problem(self, generation: int, timeout: float) -> str:
        """Return why the generation has not taken over yet, an empty text if it has."""
        try:
            info = self.admin.get_json("/server_info", min(timeout, LONGEST_READ))
            epoch, state = info["command_line_options"]["restart_epoch"], info["state"]
        except ScrapeError as error:
            return str(error)
        except (KeyError, TypeError):
            return "its admin interface returns no /server_info"
        if epoch != generation:
            return f"the Envoy with restart epoch {epoch} still serves"
        return "" if state == "LIVE" else f"its state is {state}"


def incompatible_envoys(docker: DockerCommand, project: Project) -> dict[str, tuple[str, str]]:
    """Return the hot-restart versions of the running and the new Envoy of each workload where they differ, and are known."""
    images = {
        name: (before[-1].image, project.workloads[name])
        for name, before in project.previous.items()
        if project.workloads[name].replacement == "hot_restart"
        and before[-1].image != project.workloads[name].image
    }
    programs = {
        (image, workload.command[0])
        for previous, workload in images.values()
        for image in (previous, workload.image)
    }
    versions = dict(map_to_pairs(lambda one: _hot_restart_version(docker, *one), programs))
    found = {}
    for name, (previous, workload) in images.items():
        old, new = (versions[image, workload.command[0]] for image in (previous, workload.image))
        if old and new and old != new:
            found[name] = old, new
    return found


def _hot_restart_version(docker: DockerCommand, image: str, program: str) -> str:
    options = ("--rm", "--pull", "never", "--network", "none", "--entrypoint", program)
    result = docker.result("run", *options, image, "--hot-restart-version", timeout=TIMEOUT)
    return result.last_line if not result.exit_code and _NUMBER.fullmatch(result.last_line) else ""


def remove_shared_memory(docker: DockerCommand, project: Project, names: Iterable[str]) -> None:
    """Remove the memory that the Envoys of workloads share, after they have ended: an Envoy of another version aborts with it."""
    for name in names:
        workload, base_id = project.workloads[name], option(project.workloads[name].command, BASE_ID)
        if base_id is not None:
            holder = docker.container_name(project.holder_of[name])
            docker.run("exec", "--user", workload.user, holder, "rm", "-f", str(shared_memory(base_id)))


def wait_until_drained(docker: DockerCommand, containers: Sequence[ListedContainer], timeout: float) -> None:
    """Return when no container has a connection to its ports, or after `timeout` seconds."""
    inspected = docker.inspect(container.name for container in containers).values()
    connected = [one for one in inspected if one.pid and one.ports]
    for _left in attempts(timeout) if connected else ():
        # None where this host does not see the network of containers: the program finishes its requests after the stop signal.
        connected = [one for one in connected if host_ports.connections(one.pid, one.ports)]
        if not connected:
            return


def without_parents(
    docker: DockerCommand, containers: Sequence[ListedContainer], successors: Iterable[tuple[str, int]]
) -> list[ListedContainer]:
    """Return the `containers` that can be removed: all but the Envoys that have handed over, which their successors end.

    A successor reads stats of its parent until it has ended it. If something else ends the parent, the successor aborts after 10 s
    (source/server/hot_restarting_base.cc in Envoy).

    Args:
        docker: The docker command of the project.
        containers: The containers that the project should not have.
        successors: The workload and the generation of each Envoy that stays.
    """
    kept = {*successors}
    workloads = {workload for workload, _generation in kept}
    before = sorted(
        (one for one in containers if one.workload in workloads), key=lambda one: one.generation, reverse=True
    )
    found = docker.inspect(one.name for one in before).values() if before else ()
    running = {one.id for one in found if one.status in SERVING}
    parents = set()
    for one in before:
        if one.id in running and (one.workload, one.generation + 1) in kept:
            kept.add((one.workload, one.generation))
            parents.add(one.id)
    return [one for one in containers if one.id not in parents]


def successors(project: Project) -> list[list[ListedContainer]]:
    """Return the running containers with a running previous generation, the newest generations first."""
    by_workload: dict[str, list[ListedContainer]] = {}
    for one in project.own:
        if one.workload and one.state in SERVING:
            by_workload.setdefault(one.workload, []).append(one)
    found: dict[int, list[ListedContainer]] = {}
    for generations in by_workload.values():
        newest_first = sorted(generations, key=lambda one: -one.generation)
        for position, one in enumerate(newest_first[:-1]):
            found.setdefault(position, []).append(one)
    return [found[position] for position in sorted(found)]
