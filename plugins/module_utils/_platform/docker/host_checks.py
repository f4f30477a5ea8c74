# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers need of the host of their daemon: paths to mount, and the permission to publish ports below 1024."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import unprivileged_start
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import PROC
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    UNPRIVILEGED_PORT,
    UNPRIVILEGED_PORT_SYSCTL,
    Workload,
)


def check_host(docker: DockerCommand, workloads: Collection[Workload], proc: Path = PROC) -> None:
    """Raise PlatformRefused if a path to mount does not exist, or if a rootless daemon cannot publish a port.

    Args:
        docker: The docker command.
        workloads: The workloads of the demo.
        proc: The mount point of the proc file system.
    """
    for workload in workloads:
        for mount in workload.mounts:
            if mount.source.startswith("/") and not os.path.exists(mount.source):
                raise PlatformRefused(
                    f"{workload.name}: {mount.source} does not exist, so the container cannot connect to the Unix socket."
                    " Start the program that creates it"
                )
    ports = [port.published for one in workloads for port in one.ports if port.published]
    lowest = min(ports, default=UNPRIVILEGED_PORT)
    start = unprivileged_start(proc)
    if lowest < min(UNPRIVILEGED_PORT, start) and is_rootless(docker):
        raise PlatformRefused(
            f"port {lowest}: a rootless Docker daemon cannot publish ports below {start}. Choose another port, or run as root:"
            f" sysctl -w {UNPRIVILEGED_PORT_SYSCTL}={lowest}"
        )


def is_rootless(docker: DockerCommand) -> bool:
    """Return whether the daemon runs without root (`docker info`)."""
    result = docker.run("info", "--format", "{{.SecurityOptions}}")
    return "name=rootless" in result.stdout
