# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys workloads as the containers of one compose project, with the docker command of this host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    HostDeployer,
    PlatformFailed,
    PlatformRefused,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.compose_up import ComposeUp
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.image_pull import pull
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    OLDEST_COMPOSE,
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    PROJECT,
    InspectedContainer,
    ListedContainer,
    parse_version,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import FILE
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.draining import (
    incompatible_envoys,
    successors,
    wait_until_drained,
    without_parents,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.host_checks import check_host
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project import Project
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project_checks import (
    check_compose,
    check_folder,
    check_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.restoration import (
    PreviousContainers,
    previous_containers,
    restore,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_reservation import (
    PortReservations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.image_build import (
    build_images,
    built_images,
)

SETTLING_SECONDS = 3  # until a container that Docker starts again has its ports


class DockerDeployer(HostDeployer):
    """The deployer of containers; see `deployer.Deployer`."""

    document_path = FILE
    can_restore = True

    def __init__(self, spec: DeploymentSpec) -> None:
        """Make a deployer of the compose project of the demo's name."""
        self.name = spec.name
        self.spec = spec
        self.workloads = {workload.name: workload for workload in spec.workloads}
        self.docker = DockerCommand.of_host(spec.name, spec.folder)
        # The containers as of the preflight.
        self.project = Project(spec.name, self.workloads)
        self._up = ComposeUp(spec, self.docker, self.project)
        self._ports = PortReservations()
        self._changed = True
        self._previous = PreviousContainers("")

    def location(self) -> str:
        """Return `docker`."""
        return "docker"

    def preflight(self) -> None:
        """Check the compose plugin, the project's folder and the published ports. Raises PlatformRefused."""
        self._read_containers()
        inspected = self.project.inspected.values()
        # A container that a new enough compose made needs no check of the version, which costs a process.
        if not any(parse_version(container.compose) >= OLDEST_COMPOSE for container in inspected):
            check_compose(self.docker)
        check_folder(self.project, self.docker.folder)
        self._ports.reserve(self._published_ports())
        self._check_ports()
        check_host(self.docker, self.workloads.values())
        self._check_hot_restart()

    def close(self) -> None:
        """Release the reserved ports."""
        self._ports.release()

    def missing_images(self) -> tuple[str, ...]:
        """Return the images that the daemon does not have. The image of an existing container is not looked up."""
        present = {container.image for container in self.project.own}
        needed = [
            image for one in self.workloads.values() for image in (one.image, one.holder_image) if image
        ]
        images = dict.fromkeys(image for image in needed if image not in present)
        return tuple(self.docker.missing_images(images)) if images else ()

    def pull_images(self, images: Iterable[str]) -> None:
        """Pull images, several at once, and build those with packages. Raises PlatformRefused that names each one that cannot be pulled."""
        wanted = [*images]
        built = built_images(self.workloads.values())
        if refused := pull(self.docker, [one for one in wanted if one not in built], self.spec.progress):
            raise PlatformRefused("; ".join(map(str, refused)))
        if any(one in built for one in wanted):
            self.spec.progress("building images with packages")
        build_images(self.docker, self.workloads.values(), wanted)
        self._check_hot_restart()

    def predict(self, document: str) -> AppliedChanges:
        """Return what differs between the containers and the document."""
        removed = sorted_names(self.project.removed_names(self.project.unlisted))
        return replace(self.project.changes(document), removed=removed)

    def apply(self) -> AppliedChanges:
        """Start what does not run, next to the previous generations, which serve until `remove_unlisted`. Raises PlatformFailed."""
        project = self.project
        paused = [one for one in project.own if one.state == "paused"]
        if paused:
            self.docker.run("unpause", *(one.id for one in paused))
        blocking = self._unlisted_with_needed_ports()
        self._remove(blocking)
        applied = self._up.run(self._document())
        self._changed = bool(applied.changed or paused or blocking)
        detached = self._join_new_holders()
        unpaused = {one.workload for one in paused} & {*self.workloads}
        restarted = ({*applied.restarted, *detached} - {*applied.started}) - unpaused
        return AppliedChanges(
            started=sorted_names({*applied.started, *unpaused}),
            restarted=sorted_names(restarted),
            removed=sorted_names(project.removed_names(blocking)),
            replaced={name: applied.replaced.get(name, "stop") for name in restarted},
        )

    def wait_until_ready(self, timeout: float) -> None:
        """Return when every container is ready. Raises PlatformFailed."""
        self._up.wait(self.workloads, timeout, None if self._changed else self.project.inspected)

    def remove_unlisted(self) -> AppliedChanges:
        """Stop and remove the project's containers that are no workloads, as soon as they are drained. Raises PlatformFailed.

        An Envoy whose successor runs stays: the successor ends it, and the next run removes its container.
        """
        unlisted = self.project.unlisted
        wait_until_drained(
            self.docker, [one for one in unlisted if self._is_overlapping(one)], self.spec.drain_timeout
        )
        workloads = self.project.workloads.values()
        envoys = [(one.name, one.generation) for one in workloads if one.replacement == "hot_restart"]
        unlisted = without_parents(self.docker, unlisted, envoys)
        removed = self.project.removed_names(unlisted)
        self._remove(unlisted)
        return AppliedChanges(removed=sorted_names(removed))

    def previous_document(self, document: str) -> tuple[str, Mapping[str, int]]:
        """Return the document to return to, and the generations that it has in place of those of `document`."""
        self._previous = previous_containers(document, self.docker, self.project, self.spec.admins)
        return self._previous.document, self._previous.generations

    def restore(self) -> None:
        """Run the containers of the previous document again, which is written. Raises PlatformFailed."""
        restore(self.docker, self.project, self._previous, self.spec.admins)

    def running_workloads(self) -> tuple[str, ...]:
        """Return the workloads of the project's running containers."""
        self._read_containers()
        running = [one for one in self.project.own if one.state == "running"]
        return sorted_names(self.project.names(running))

    def is_deployed(self) -> bool:
        """Return whether the project has a container or a network."""
        if not shutil.which("docker"):
            return False
        self._read_containers()
        label = f"label={PROJECT}={self.name}"
        return bool(
            self.project.own or self.docker.run("network", "ls", "--quiet", "--filter", label).stdout.strip()
        )

    def remove_all(self) -> tuple[str, ...]:
        """Run `docker compose down`; return the workloads that had a container. Raises PlatformRefused, PlatformFailed."""
        self._read_containers()
        check_folder(self.project, self.docker.folder)
        for generation in successors(self.project):
            self.docker.run_each("stop", [one.id for one in generation])
        result = self.docker.retried(
            lambda: self.docker.compose_project("down", "--volumes", "--remove-orphans")
        )
        if result.exit_code:
            raise PlatformFailed(f"`docker compose down` fails: {result.last_line}")
        return sorted_names(self.project.names(self.project.own))

    def _document(self) -> str:
        try:
            return (self.docker.folder / FILE).read_text(encoding="utf-8")
        except OSError:  # compose prints which file it needs
            return ""

    def _is_overlapping(self, container: ListedContainer) -> bool:
        workload = self.workloads.get(container.workload)
        return workload is not None and workload.replacement == "overlap"

    # Containers

    def _check_hot_restart(self) -> None:
        """Warn of Envoys that cannot take over from the running ones, as far as the images are there."""
        self.project.incompatible = incompatible_envoys(self.docker, self.project)
        self.warnings = [
            f"{name}: the running Envoy cannot hand over to {self.workloads[name].image}: their hot-restart versions are {old} and"
            f" {new}. It is stopped first, which interrupts its requests."
            for name, (old, new) in self.project.incompatible.items()
        ]

    def _check_ports(self) -> None:
        """Refuse ports that other programs use. While Docker starts a holder again, the list has none of its ports."""
        needed = self._published_ports()
        for _left in attempts(SETTLING_SECONDS) if self.project.own else ():
            try:
                return check_ports(self.project, needed)
            except PlatformRefused:
                self._read_containers()
        return check_ports(self.project, needed)

    def _read_containers(self) -> None:
        """List all containers of the daemon and inspect those of the project, both at once."""

        def list_all() -> None:
            self.project.all = self.docker.containers()

        def inspect_own() -> None:
            self.project.inspected = self._inspect()

        calls: list[Callable[[], None]] = [list_all, inspect_own]
        map_to_pairs(lambda call: call(), calls)

    def _inspect(self) -> dict[str, InspectedContainer]:
        return self.docker.inspect(map(self.docker.container_name, self.project.services))

    def _published_ports(self) -> list[host_ports.NeededPort]:
        return [
            host_ports.NeededPort(workload.name, port.published, self.spec.bind, port.protocol)
            for workload in self.workloads.values()
            for port in workload.ports
            if port.published
        ]

    def _unlisted_with_needed_ports(self) -> list[ListedContainer]:
        """Return containers that are removed in any case and have a port that a workload needs now."""
        needed = self._published_ports()
        return [
            container
            for container in self.project.unlisted
            # Podman lists the ports of a holder with each container in it, so also with a generation that is drained later.
            if container.workload not in self.workloads
            and any(host_ports.conflicts(port, one) for port in needed for one in container.listeners)
        ]

    def _join_new_holders(self) -> list[str]:
        """Restart the containers whose holder was started after them: its network is a new one. Return their workloads."""
        if self._changed:
            self.project.inspected = self._inspect()
        names = self.project.without_network()
        self.docker.run_each(
            "restart", [self.project.inspected[self.project.service_of[name]].id for name in names]
        )
        self._changed = self._changed or bool(names)
        return names

    def _remove(self, containers: Sequence[ListedContainer]) -> None:
        """Stop containers at once, each within its own stop timeout, and remove them."""
        ids = [container.id for container in containers]
        if ids:
            self.docker.run_each("stop", ids)
            result = self.docker.remove(ids)
            if result.exit_code and "No such container" not in result.stderr:
                raise PlatformFailed(f"`docker rm` fails: {result.last_line}")
            self.project.forget(containers)
