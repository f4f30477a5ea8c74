# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of containers with `docker compose up`: new generations next to the previous ones, one replica of a group after another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    PlatformFailed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    InspectedContainer,
    ListedContainer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.draining import (
    remove_shared_memory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project import Project
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import DockerReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import waves
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    CONCURRENT_PROCESSES,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Workload,
    ranks,
)

# Containers that start at the same time. Compose starts all at once otherwise: a hundred keep two cores from answering for minutes.
AT_ONCE = 32
PORT_TAKEN = ("port is already allocated", "address already in use")


@dataclass
class ComposeUp:
    """Starts what does not run of a project, and replaces what differs from its document.

    Attributes:
        spec: The deployment.
        docker: The docker command of the project.
        project: The containers before the start.
    """

    spec: DeploymentSpec
    docker: DockerCommand
    project: Project

    def run(self, document: str) -> AppliedChanges:
        """Start everything in `document`, the replicas of a group one after another. Raises PlatformFailed."""
        changes = self.project.changes(document)
        if not changes.changed and self.project.runs(document):
            return changes  # compose would start nothing, which takes it 0.2 s
        stale = self.project.stale(document)
        by_wave = waves(
            [*self.project.workloads.values()],
            changes.replaced,
            ranks(self.project.workloads.values()),
        )
        for number, wave in enumerate(by_wave):
            self._stop_previous(wave)
            self._let_parents_end(one.name for one in wave if changes.replaced.get(one.name) == "hot_restart")
            names = [one.name for one in wave]
            services = self._services(names)
            if rebuilt := self._rebuilt(services, stale):
                self._up("--force-recreate", "--no-deps", *rebuilt)
            # Compose compares definitions, too, but it would restart an Envoy whose log level was changed live.
            for part in self._parts(services):
                self._up("--no-recreate", "--no-deps", *part)
            self._up("--no-recreate", *(["--no-deps", *services] if len(by_wave) > 1 else []))
            if number + 1 < len(by_wave):
                self.wait(names, self.spec.timeout)
        return changes

    def wait(
        self,
        names: Iterable[str],
        timeout: float,
        inspected: Mapping[str, InspectedContainer] | None = None,
    ) -> None:
        """Return when workloads are ready. Raises PlatformFailed, see `DockerReadiness.wait`."""
        source = DockerReadiness(
            self.docker,
            self.project.workloads,
            self.spec.bind,
            admins=self.spec.admins,
            progress=self.spec.progress,
        )
        source.wait(timeout, inspected, names)

    def _services(self, names: Iterable[str]) -> list[str]:
        """Return the services of workloads, and those of their holders."""
        return [
            service
            for name in names
            for service in (self.project.holder_of[name], self.project.service_of[name])
        ]

    def _parts(self, services: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the parts in which many services start: the holders before the programs, which need their network and their names."""
        missing = [one for one in dict.fromkeys(services) if one not in self.project.inspected]
        if len(missing) <= AT_ONCE:
            return []
        ordered = sorted(missing, key=lambda one: one in self.project.workload_of)
        return [tuple(ordered[at : at + AT_ONCE]) for at in range(0, len(ordered), AT_ONCE)]

    def _rebuilt(self, services: Sequence[str], stale: Collection[str]) -> list[str]:
        """Return the services whose containers are made again, with their holders that do not exist."""
        found = {service for service in services if service in stale}
        found |= {
            self.project.holder_of[self.project.workload_of[service]]
            for service in found
            if service in self.project.workload_of
            and self.project.holder_of[self.project.workload_of[service]] not in self.project.inspected
        }
        return [service for service in services if service in found]

    def _up(self, *arguments: str) -> None:
        own = [str(one.port) for container in self.project.own for one in container.listeners]

        def has_own_port(text: str) -> bool:
            # The previous holder of the port stops at the same moment.
            return any(words in text and port in text for words in PORT_TAKEN for port in own)

        result = self.docker.compose_up(*arguments, passes=has_own_port)
        if result.exit_code:
            raise PlatformFailed(self._up_problem(result))

    def _stop_previous(self, wave: Sequence[Workload]) -> None:
        """Stop the previous generations that cannot run next to their successors.

        `remove_unlisted` removes them, so that they can start again until then.
        """
        previous = self.project.previous
        containers = [
            one
            for workload in wave
            for one in previous.get(workload.name, ())
            if workload.replacement == "stop"
            or workload.name in self.project.incompatible
            or _has_sockets_of(workload, one)
        ]
        self.docker.run_each("stop", [one.id for one in containers])
        names = [one.name for one in wave if one.name in self.project.incompatible]
        remove_shared_memory(self.docker, self.project, names)

    def _let_parents_end(self, names: Iterable[str]) -> None:
        """Keep Docker from starting an Envoy again that ended at the request of its successor.

        It would take the admin interface and a part of the connections back. So this precedes the start of the successor, which can
        end its parent before the last wave is ready.
        """
        previous = self.project.previous
        parents = [one.id for name in names for one in previous.get(name, ())]
        if parents:
            self.docker.run("update", "--restart", "no", *parents)

    def _up_problem(self, result: CommandResult) -> str:
        text = result.last_line.removeprefix("Error response from daemon: ")
        if any(words in text for words in PORT_TAKEN):
            return f"A port was taken meanwhile. Stop the program that uses it, or choose another port (Docker prints: {text})"
        return f"`docker compose up` fails: {text}. Run again, or read `docker compose -p {self.project.name} logs`"


def _has_sockets_of(workload: Workload, container: ListedContainer) -> bool:
    """Return whether an Envoy cannot start next to a previous one: their sockets have the number of the epoch modulo 3."""
    if workload.replacement != "hot_restart":
        return False
    return (workload.generation - container.generation) % CONCURRENT_PROCESSES == 0
