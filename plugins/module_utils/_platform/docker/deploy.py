# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads as containers of one compose project, with the docker command of this host."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    Applied,
    OnHost,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
    names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    AT_ONCE,
    LONG,
    OLDEST_COMPOSE,
    Docker,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    PROJECT,
    Container,
    Details,
    parse_steps,
    version,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import Readiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload, network_owner


class Compose(OnHost):
    """See `base.Deployer`."""

    def __init__(self, name: str, folder: Path, workloads: Sequence[Workload], bind: str) -> None:
        self.name = name
        self.bind = bind
        self.workloads = {one.name: one for one in workloads}
        self.docker = Docker(name, folder)
        self._all: list[Container] = []
        self._before: dict[str, Details] = {}
        self._acted = True

    def where(self) -> str:
        return "docker"

    def preflight(self) -> None:
        self._look()
        if not any(version(one.compose) >= OLDEST_COMPOSE for one in self._before.values()):
            self._check_compose()
        self._check_folder()
        self._preflight_ports()

    def lacking(self) -> tuple[str, ...]:
        # An image that a container of ours was made from is there.
        present = {one.image for one in self._mine()}
        images = dict.fromkeys(one.image for one in self.workloads.values() if one.image not in present)
        return tuple(self.docker.missing_images(images)) if images else ()

    def fetch(self, lacking: Iterable[str]) -> None:
        if refused := self.docker.pull(lacking):
            raise PlatformRefused("; ".join(map(str, refused)))

    def predict(self, document: str) -> Applied:
        mine = self._mine()
        orphans = names(one.service for one in mine if one.service not in self.workloads)
        if not any(one.service in self.workloads for one in mine):
            return Applied(started=names(self.workloads), removed=orphans)
        ran = self.docker.compose("--dry-run", "up", "--detach", "--no-build", document=document)
        if ran.exit_code:
            raise PlatformUnavailable(f"What compose would do is not known: {ran.last_line}")
        applied = self._read(ran)
        return Applied(applied.started, applied.restarted, orphans)

    def apply(self) -> Applied:
        before = {one.service: one.state for one in self._mine()}
        paused = [one.id for one in self._mine() if one.state == "paused"]
        if paused:
            self.docker.ask("unpause", *paused)
        in_the_way = self._in_the_way()
        self._remove(in_the_way)
        ran = self.docker.compose("up", "--detach", "--no-build", "--quiet-pull")
        if ran.exit_code:
            raise PlatformFailed(self._why_not_up(ran))
        applied = self._read(ran)
        self._acted = applied.changed or bool(paused or in_the_way)
        stale = self._stale()
        if stale:
            map_to_pairs(lambda one: self.docker.ask("restart", one.id, timeout=LONG), stale, AT_ONCE)
            self._acted = True
        restarted = {*applied.restarted, *(one.service for one in stale)} - {*applied.started}
        woken = {service for service, state in before.items() if state == "paused"}
        return Applied(
            names({*applied.started, *woken}), names(restarted), names(one.service for one in in_the_way)
        )

    def ready(self, timeout: float) -> None:
        known = None if self._acted else self._before
        Readiness(self.docker, self.workloads, self.bind).wait(timeout, known)

    def retire(self) -> Applied:
        orphans = [one for one in self._mine() if one.service not in self.workloads]
        self._remove(orphans)
        return Applied(removed=names(one.service for one in orphans))

    def running(self) -> tuple[str, ...]:
        self._look()
        return names(one.service for one in self._mine() if one.state == "running")

    def leftovers(self) -> bool:
        if not shutil.which("docker"):
            return False
        self._look()
        labelled = f"label={PROJECT}={self.name}"
        return bool(
            self._mine() or self.docker.ask("network", "ls", "--quiet", "--filter", labelled).stdout.strip()
        )

    def absent(self) -> tuple[str, ...]:
        self._look()
        self._check_folder()
        ran = self.docker.project_command("down", "--volumes", "--remove-orphans")
        if ran.exit_code:
            raise PlatformFailed(f"`docker compose down` says: {ran.last_line}")
        return names(one.service for one in self._mine())

    # What is the case

    def _look(self) -> None:
        """Ask for all containers of the daemon, and for details of our own, at once."""
        with ThreadPoolExecutor(2) as pool:
            everybody = pool.submit(self.docker.containers)
            details = pool.submit(self.docker.details, map(self.docker.container_name, self.workloads))
            self._all, self._before = everybody.result(), details.result()

    def _mine(self) -> list[Container]:
        return [one for one in self._all if one.project == self.name and one.service]

    def _check_compose(self) -> None:
        found = self.docker.compose_version()
        wanted = ".".join(map(str, OLDEST_COMPOSE))
        if not found:
            raise PlatformUnavailable(
                f"Docker has no compose plugin: install docker compose {wanted} or newer"
            )
        if version(found) < OLDEST_COMPOSE:
            raise PlatformUnavailable(f"docker compose is {found}: install {wanted} or newer")

    def _check_folder(self) -> None:
        """The daemon tells projects apart by name alone: one of the same name that was started elsewhere is somebody else's."""
        folder = str(self.docker.folder)
        others = {one.folder for one in self._mine()} - {folder, ""}
        if others:
            raise PlatformRefused(
                f"Docker runs a project {self.name} already, of the folder {min(others)} and not of {folder}:"
                " take that one down, or give this one another name"
            )

    def _preflight_ports(self) -> None:
        wanted = self._published()
        own = {(one.port, one.protocol) for mine in self._mine() for one in mine.listeners}
        others = [one for one in self._all if one.project != self.name and one.state == "running"]
        said = {
            one: f"container {other.name}"
            for one in wanted
            for other in others
            if any(host_ports.in_the_way(one, listener) for listener in other.listeners)
        }
        free = [one for one in wanted if one not in said and (one.port, one.protocol) not in own]
        for one, listener in host_ports.taken(free) if free else ():
            said.setdefault(one, host_ports.describe(listener))
        if said:
            raise PlatformRefused(host_ports.complaint(said))

    def _published(self) -> list[host_ports.Wanted]:
        return [
            host_ports.Wanted(one.name, port.published, self.bind, port.protocol)
            for one in self.workloads.values()
            for port in one.ports
            if port.published
        ]

    # Change

    def _read(self, ran: CommandResult) -> Applied:
        """Tell from what compose said what it did."""
        steps = parse_steps(f"{ran.stdout}\n{ran.stderr}", self.name)
        there = {one.service: one.state for one in self._mine()}
        started: set[str] = set()
        restarted: set[str] = set()
        for service, done in steps.items():
            if (
                not {"Created", "Recreated", "Started", "Restarted"} & {*done}
                or service not in self.workloads
            ):
                continue
            was_running = there.get(service) == "running"
            (restarted if was_running else started).add(service)
        return Applied(names(started), names(restarted))

    def _in_the_way(self) -> list[Container]:
        """Return containers that go anyway and have a port that is wanted now."""
        wanted = self._published()
        return [
            one
            for one in self._mine()
            if one.service not in self.workloads
            and any(host_ports.in_the_way(port, listener) for port in wanted for listener in one.listeners)
        ]

    def _remove(self, containers: Iterable[Container]) -> None:
        """Stop containers, each with its own time for it, and remove them."""
        ids = [one.id for one in containers]
        if ids:
            map_to_pairs(lambda one: self.docker.ask("stop", one, timeout=LONG), ids, AT_ONCE)
            ran = self.docker.ask("rm", "--force", "--volumes", *ids)
            if ran.exit_code and "No such container" not in ran.stderr:
                raise PlatformFailed(f"`docker rm` says: {ran.last_line}")
            self._all = [one for one in self._all if one.id not in ids]

    def _stale(self) -> list[Details]:
        """Return containers whose network went away because its owner was started after them."""
        sharers = [one for one in self.workloads.values() if one.network]
        if not sharers:
            return []
        details = self._before
        if self._acted:
            details = self.docker.details(map(self.docker.container_name, self.workloads))
        found = []
        for one in sharers:
            mine = details.get(one.name)
            owner = details.get(network_owner(one, self.workloads.values()).name)
            if mine and owner and mine.started < owner.started:
                found.append(mine)
        return found

    def _why_not_up(self, ran: CommandResult) -> str:
        words = ran.last_line.removeprefix("Error response from daemon: ")
        if "port is already allocated" in words or "address already in use" in words:
            return f"A port was taken meanwhile; stop what has it, or choose another (Docker says: {words})"
        return f"`docker compose up` did not end well; run again, or see `docker compose -p {self.name} logs`: {words}"
