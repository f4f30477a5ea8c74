# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of containers with `docker compose up`: new generations next to the previous ones, one replica of a group after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    PlatformFailed,
    PlatformUnavailable,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    InspectedContainer,
    ListedContainer,
    parse_steps,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project import SERVING, Project
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import DockerReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import waves
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Replacement, ranks

# The steps of compose after which another process runs in a container.
STARTS = {"Created", "Recreated", "Started", "Restarted"}
PORT_TAKEN = ("port is already allocated", "address already in use")


@dataclass
class ComposeUp:
    """Starts what does not run of a project, and replaces what differs from its document.

    Attributes:
        spec: The deployment.
        docker: The docker command of the project.
        project: The containers before the start.
        recreated: The services that compose would replace in their place, as of a dry run.
        stopped: The containers of previous generations that were stopped for their successors.
        started: The services that were started, those of holders too.
    """

    spec: DeploymentSpec
    docker: DockerCommand
    project: Project
    recreated: frozenset[str] = frozenset()
    stopped: list[ListedContainer] = field(default_factory=list)
    started: set[str] = field(default_factory=set)

    def predict(self, document: str) -> AppliedChanges:
        """Return what `run` would change with the text `document`, and take note of what it would replace. Raises PlatformUnavailable."""
        result = self.docker.compose("--dry-run", "up", "--detach", "--no-build", document=document)
        if result.exit_code:
            raise PlatformUnavailable(f"`docker compose --dry-run up` fails: {result.last_line}")
        steps = self._steps(result)
        self.recreated = frozenset(service for service, taken in steps.items() if "Recreated" in taken)
        return self._changes(steps)

    def run(self) -> AppliedChanges:
        """Start everything, the replicas of a group one after another. Raises PlatformFailed."""
        replaced: dict[str, Replacement] = {
            name: self.project.workloads[name].replacement for name in self.project.previous
        }
        for name in self._interrupted():
            replaced.setdefault(name, "stop")
        by_wave = waves([*self.project.workloads.values()], replaced, ranks(self.project.workloads.values()))
        steps: dict[str, list[str]] = {}
        for number, wave in enumerate(by_wave):
            names = [one.name for one in wave]
            self._stop_previous([one.name for one in wave if one.replacement == "stop"])
            steps |= self._up(self._services(names) if len(by_wave) > 1 else ())
            if number + 1 < len(by_wave):
                self.wait(names, self.spec.timeout)
        self.started = _started(steps)
        return self._changes(steps)

    def wait(
        self,
        names: Iterable[str],
        timeout: float,
        inspected: Mapping[str, InspectedContainer] | None = None,
    ) -> None:
        """Return when workloads are ready. Raises PlatformFailed, see `DockerReadiness.wait`."""
        source = DockerReadiness(self.docker, self.project.workloads, self.spec.bind, admins=self.spec.admins)
        source.wait(timeout, inspected, names)

    def _services(self, names: Iterable[str]) -> list[str]:
        """Return the services of workloads, and those of their holders."""
        return [
            service
            for name in names
            for service in (self.project.holder_of[name], self.project.service_of[name])
        ]

    def _interrupted(self) -> list[str]:
        """Return the workloads that run and that compose replaces in their place: their definition or holder differs."""
        running = {one.service for one in self.project.listed if one.state in SERVING}
        return [
            name
            for name, service in self.project.service_of.items()
            if service in running and {service, self.project.holder_of[name]} & self.recreated
        ]

    def _up(self, services: Sequence[str]) -> dict[str, list[str]]:
        arguments = ["up", "--detach", "--no-build", "--quiet-pull"]
        if services:
            arguments += ["--no-deps", *dict.fromkeys(services)]
        own = [str(one.port) for container in self.project.own for one in container.listeners]

        def has_own_port(text: str) -> bool:
            # The previous holder of the port stops at the same moment.
            return any(words in text and port in text for words in PORT_TAKEN for port in own)

        result = self.docker.retried(lambda: self.docker.compose(*arguments), has_own_port)
        if result.exit_code:
            raise PlatformFailed(self._up_problem(result))
        return self._steps(result)

    def _steps(self, result: CommandResult) -> dict[str, list[str]]:
        return parse_steps(f"{result.stdout}\n{result.stderr}", self.project.name)

    def _changes(self, steps: Mapping[str, Sequence[str]]) -> AppliedChanges:
        """Return which workloads were started or restarted, from the steps of compose for each service."""
        running = {one.service for one in self.project.listed if one.state == "running"}
        before = self.project.previous
        started: set[str] = set()
        replaced: dict[str, str] = {}
        for service in _started(steps):
            name = self.project.workload_of.get(service)
            if name is None:
                continue
            if name in before:
                replaced[name] = self.project.workloads[name].replacement
            elif service in running:
                replaced[name] = "stop"
            else:
                started.add(name)
        return AppliedChanges(sorted_names(started), sorted_names(replaced), replaced=replaced)

    def _stop_previous(self, names: Iterable[str]) -> None:
        """Stop the previous generations of workloads. `remove_unlisted` removes them, so that they can start again until then."""
        containers = [one for name in names for one in self.project.previous.get(name, ())]
        self.docker.run_each("stop", [one.id for one in containers])
        self.stopped += containers

    def let_parents_end(self, replaced: Mapping[str, str]) -> None:
        """Keep Docker from starting an Envoy again that ended at the request of its successor."""
        previous = self.project.previous
        parents = [
            one.id for name, how in replaced.items() if how == "hot_restart" for one in previous.get(name, ())
        ]
        if parents:
            self.docker.run("update", "--restart", "no", *parents)

    def _up_problem(self, result: CommandResult) -> str:
        text = result.last_line.removeprefix("Error response from daemon: ")
        if any(words in text for words in PORT_TAKEN):
            return f"A port was taken meanwhile. Stop the program that uses it, or choose another port (Docker prints: {text})"
        return f"`docker compose up` fails: {text}. Run again, or read `docker compose -p {self.project.name} logs`"


def _started(steps: Mapping[str, Sequence[str]]) -> set[str]:
    return {name for name, taken in steps.items() if STARTS & {*taken}}
