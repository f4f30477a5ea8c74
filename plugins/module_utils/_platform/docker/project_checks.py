# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a compose project before a deployment: the plugin, the folder of the project, and the published ports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    OLDEST_COMPOSE,
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    parse_version,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.project import Project


def check_compose(docker: DockerCommand) -> None:
    """Raise PlatformUnavailable without a compose plugin that is new enough."""
    found = docker.compose_version()
    oldest = ".".join(map(str, OLDEST_COMPOSE))
    if not found:
        raise PlatformUnavailable(f"Docker has no compose plugin. Install docker compose {oldest} or newer")
    if parse_version(found) < OLDEST_COMPOSE:
        raise PlatformUnavailable(f"docker compose is {found}. Install {oldest} or newer")


def check_folder(project: Project, path: Path) -> None:
    """Refuse a project of the same name from another folder: the daemon distinguishes projects by name only."""
    folder = str(path)
    foreign = {container.folder for container in project.own} - {folder, ""}
    if foreign:
        raise PlatformRefused(
            f"The compose project {project.name} runs from the folder {min(foreign)}, not from {folder}."
            " Tear that project down, or choose another name for this demo"
        )


def check_ports(project: Project, needed: Sequence[host_ports.NeededPort]) -> None:
    """Refuse ports that other programs use, and name these programs."""
    own = {
        (listener.port, listener.protocol) for container in project.own for listener in container.listeners
    }
    foreign = [
        container
        for container in project.all
        if container.project != project.name and container.state == "running"
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
