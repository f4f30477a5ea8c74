# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys workloads as the containers of one compose project, with the docker command of this host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    HostDeployer,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    LONG_TIMEOUT,
    OLDEST_COMPOSE,
    PROCESSES_AT_ONCE,
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    PROJECT,
    InspectedContainer,
    ListedContainer,
    parse_steps,
    parse_version,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import FILE
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.host_checks import check_host
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import DockerReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import network_owner


class DockerDeployer(HostDeployer):
    """The deployer of containers; see `deployer.Deployer`."""

    document_path = FILE

    def __init__(self, spec: DeploymentSpec) -> None:
        """Make a deployer of the compose project of the demo's name."""
        self.name = spec.name
        self.bind = spec.bind
        self.workloads = {workload.name: workload for workload in spec.workloads}
        self.docker = DockerCommand(spec.name, spec.folder)
        # All containers of the daemon, and those of the workloads by service, as of the preflight.
        self._containers: list[ListedContainer] = []
        self._inspected: dict[str, InspectedContainer] = {}
        self._changed = True

    def location(self) -> str:
        """Return `docker`."""
        return "docker"

    def preflight(self) -> None:
        """Check the compose plugin, the project's folder and the published ports. Raises PlatformRefused."""
        self._read_containers()
        # A container that a new enough compose made needs no check of the version, which costs a process.
        if not any(
            parse_version(container.compose) >= OLDEST_COMPOSE for container in self._inspected.values()
        ):
            self._check_compose()
        self._check_folder()
        self._check_ports()
        check_host(self.docker, self.workloads.values())

    def missing_images(self) -> tuple[str, ...]:
        """Return the images that the daemon does not have. The image of an existing container is not looked up."""
        present = {container.image for container in self._own()}
        images = dict.fromkeys(
            workload.image for workload in self.workloads.values() if workload.image not in present
        )
        return tuple(self.docker.missing_images(images)) if images else ()

    def pull_images(self, images: Iterable[str]) -> None:
        """Pull images, several at once. Raises PlatformRefused that names each image that cannot be pulled."""
        if refused := self.docker.pull(images):
            raise PlatformRefused("; ".join(map(str, refused)))

    def predict(self, document: str) -> AppliedChanges:
        """Return the changes of `docker compose --dry-run up`."""
        own = self._own()
        unlisted = sorted_names(
            container.service for container in own if container.service not in self.workloads
        )
        if not any(container.service in self.workloads for container in own):
            return AppliedChanges(started=sorted_names(self.workloads), removed=unlisted)
        result = self.docker.compose("--dry-run", "up", "--detach", "--no-build", document=document)
        if result.exit_code:
            raise PlatformUnavailable(f"`docker compose --dry-run up` fails: {result.last_line}")
        applied = self._changes(result)
        return AppliedChanges(applied.started, applied.restarted, unlisted)

    def apply(self) -> AppliedChanges:
        """Run `docker compose up`, and restart containers whose shared network was replaced. Raises PlatformFailed."""
        states = {container.service: container.state for container in self._own()}
        paused = [container.id for container in self._own() if container.state == "paused"]
        if paused:
            self.docker.run("unpause", *paused)
        blocking = self._unlisted_with_needed_ports()
        self._remove(blocking)
        result = self.docker.compose("up", "--detach", "--no-build", "--quiet-pull")
        if result.exit_code:
            raise PlatformFailed(self._up_problem(result))
        applied = self._changes(result)
        self._changed = applied.changed or bool(paused or blocking)
        detached = self._without_network()
        if detached:
            self._run_each("restart", [container.id for container in detached])
            self._changed = True
        restarted = {*applied.restarted, *(container.service for container in detached)} - {*applied.started}
        unpaused = {service for service, state in states.items() if state == "paused"}
        return AppliedChanges(
            sorted_names({*applied.started, *unpaused}),
            sorted_names(restarted),
            sorted_names(container.service for container in blocking),
        )

    def wait_until_ready(self, timeout: float) -> None:
        """Return when every container is ready. Raises PlatformFailed."""
        inspected = None if self._changed else self._inspected
        DockerReadiness(self.docker, self.workloads, self.bind).wait(timeout, inspected)

    def remove_unlisted(self) -> AppliedChanges:
        """Stop and remove the project's containers that are no workloads. Raises PlatformFailed."""
        unlisted = [container for container in self._own() if container.service not in self.workloads]
        self._remove(unlisted)
        return AppliedChanges(removed=sorted_names(container.service for container in unlisted))

    def running_workloads(self) -> tuple[str, ...]:
        """Return the services of the project's running containers."""
        self._read_containers()
        return sorted_names(container.service for container in self._own() if container.state == "running")

    def is_deployed(self) -> bool:
        """Return whether the project has a container or a network."""
        if not shutil.which("docker"):
            return False
        self._read_containers()
        label = f"label={PROJECT}={self.name}"
        return bool(
            self._own() or self.docker.run("network", "ls", "--quiet", "--filter", label).stdout.strip()
        )

    def remove_all(self) -> tuple[str, ...]:
        """Run `docker compose down`; return the services that had a container. Raises PlatformRefused, PlatformFailed."""
        self._read_containers()
        self._check_folder()
        result = self.docker.compose_project("down", "--volumes", "--remove-orphans")
        if result.exit_code:
            raise PlatformFailed(f"`docker compose down` fails: {result.last_line}")
        return sorted_names(container.service for container in self._own())

    # Containers

    def _read_containers(self) -> None:
        """List all containers of the daemon and inspect those of the workloads, both at once."""

        def list_all() -> None:
            self._containers = self.docker.containers()

        def inspect_own() -> None:
            self._inspected = self.docker.inspect(map(self.docker.container_name, self.workloads))

        calls: list[Callable[[], None]] = [list_all, inspect_own]
        map_to_pairs(lambda call: call(), calls)

    def _own(self) -> list[ListedContainer]:
        return [
            container
            for container in self._containers
            if container.project == self.name and container.service
        ]

    # Preflight

    def _check_compose(self) -> None:
        found = self.docker.compose_version()
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        if not found:
            raise PlatformUnavailable(
                f"Docker has no compose plugin. Install docker compose {oldest} or newer"
            )
        if parse_version(found) < OLDEST_COMPOSE:
            raise PlatformUnavailable(f"docker compose is {found}. Install {oldest} or newer")

    def _check_folder(self) -> None:
        """Refuse a project of the same name from another folder: the daemon distinguishes projects by name only."""
        folder = str(self.docker.folder)
        foreign = {container.folder for container in self._own()} - {folder, ""}
        if foreign:
            raise PlatformRefused(
                f"The compose project {self.name} runs from the folder {min(foreign)}, not from {folder}."
                " Tear that project down, or choose another name for this demo"
            )

    def _check_ports(self) -> None:
        needed = self._published_ports()
        own = {
            (listener.port, listener.protocol)
            for container in self._own()
            for listener in container.listeners
        }
        foreign = [
            container
            for container in self._containers
            if container.project != self.name and container.state == "running"
        ]
        holders = {
            port: f"container {container.name}"
            for port in needed
            for container in foreign
            if any(host_ports.conflicts(port, listener) for listener in container.listeners)
        }
        unknown = [port for port in needed if port not in holders and (port.port, port.protocol) not in own]
        for port, listener in host_ports.used_ports(unknown) if unknown else ():
            holders.setdefault(port, host_ports.describe(listener))
        if holders:
            raise PlatformRefused(host_ports.conflict_text(holders))

    def _published_ports(self) -> list[host_ports.NeededPort]:
        return [
            host_ports.NeededPort(workload.name, port.published, self.bind, port.protocol)
            for workload in self.workloads.values()
            for port in workload.ports
            if port.published
        ]

    # Apply

    def _changes(self, result: CommandResult) -> AppliedChanges:
        """Return which services were started or restarted, from the steps that compose printed."""
        steps = parse_steps(f"{result.stdout}\n{result.stderr}", self.name)
        states = {container.service: container.state for container in self._own()}
        started: set[str] = set()
        restarted: set[str] = set()
        for service, taken in steps.items():
            is_changed = bool({"Created", "Recreated", "Started", "Restarted"} & {*taken})
            if is_changed and service in self.workloads:
                (restarted if states.get(service) == "running" else started).add(service)
        return AppliedChanges(sorted_names(started), sorted_names(restarted))

    def _unlisted_with_needed_ports(self) -> list[ListedContainer]:
        """Return containers that are removed in any case and have a port that a workload needs now."""
        needed = self._published_ports()
        return [
            container
            for container in self._own()
            if container.service not in self.workloads
            and any(
                host_ports.conflicts(port, listener) for port in needed for listener in container.listeners
            )
        ]

    def _remove(self, containers: Iterable[ListedContainer]) -> None:
        """Stop containers at once, each within its own stop timeout, and remove them."""
        ids = [container.id for container in containers]
        if ids:
            self._run_each("stop", ids)
            result = self.docker.run("rm", "--force", "--volumes", *ids)
            if result.exit_code and "No such container" not in result.stderr:
                raise PlatformFailed(f"`docker rm` fails: {result.last_line}")
            self._containers = [container for container in self._containers if container.id not in ids]

    def _run_each(self, command: str, ids: Sequence[str]) -> None:
        run: Callable[..., Any] = partial(self.docker.run, command, timeout=LONG_TIMEOUT)
        map_to_pairs(run, ids, PROCESSES_AT_ONCE)

    def _without_network(self) -> list[InspectedContainer]:
        """Return containers that share the network of a container which was started after them: that network no longer exists."""
        sharing = [workload for workload in self.workloads.values() if workload.network]
        if not sharing:
            return []
        inspected = self._inspected
        if self._changed:
            inspected = self.docker.inspect(map(self.docker.container_name, self.workloads))
        found = []
        for workload in sharing:
            container = inspected.get(workload.name)
            owner = inspected.get(network_owner(workload, self.workloads.values()).name)
            if container and owner and container.started < owner.started:
                found.append(container)
        return found

    def _up_problem(self, result: CommandResult) -> str:
        text = result.last_line.removeprefix("Error response from daemon: ")
        if "port is already allocated" in text or "address already in use" in text:
            return f"A port was taken meanwhile. Stop the program that uses it, or choose another port (Docker prints: {text})"
        return f"`docker compose up` fails: {text}. Run again, or read `docker compose -p {self.name} logs`"
