# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A docker command with prepared results, and the output that docker prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import DeploymentSpec
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.deploy import DockerDeployer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


class FakeDocker:
    """A docker command that returns prepared results by subcommand; `commands` are the command lines that it ran."""

    def __init__(self, **results: CommandResult) -> None:
        self.results = {
            "ps": CommandResult(0, "", ""),
            "container": CommandResult(1, "[]", "No such container"),
            **results,
        }
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
        """Return the result for `docker <subcommand>`; by default the version of compose."""
        assert command[0] == "docker"
        self.commands.append(" ".join(command[1:]))
        return self.results.get(command[1], CommandResult(0, "2.40.0\n", ""))


def docker_deployer(
    docker: FakeDocker, *workloads: Workload, folder: Path = Path("/nonexistent")
) -> DockerDeployer:
    """Return a deployer of the project `demo` that runs `docker`, by default for one workload `a`."""
    workloads = workloads or (Workload(name="a", image="i:1", command=("x",)),)
    deployer = DockerDeployer(DeploymentSpec("demo", folder, workloads))
    replace_docker(deployer.docker, docker)
    return deployer


def replace_docker(command: DockerCommand, runner: Callable[..., CommandResult]) -> None:
    """Make a docker command run `runner` for everything, also for what the API of the daemon returns."""
    command.runner, command.engine, command.compose_program = runner, None, ""


def ps_line(
    project: str, service: str, state: str = "running", ports: str = "", folder: str = "/nonexistent"
) -> str:
    """Return a line of `docker ps` in the format of `docker_output.COLUMNS`."""
    workload = "" if service.endswith("-network") else re.sub(r"-g\d+$", "", service)
    name = f"{project}-{service}-1"
    columns = [f"id-of-{service}", project, service, state, "i:1", ports, name, folder, workload]
    return "\t".join(columns) + "\n"


def inspect_entry(
    service: str, holder: str = "", labels: dict[str, str] | None = None, **state: Any
) -> dict[str, Any]:
    """Return an entry of `docker container inspect` for a running container.

    Args:
        service: Its service.
        holder: The service of the container whose network it shares. Empty: it has its own.
        labels: Further labels.
        state: Keys of its State.
    """
    compose = {"com.docker.compose.service": service, "com.docker.compose.version": "2.26.1"}
    return {
        "Id": f"id-of-{service}",
        "Config": {"Image": "i:1", "Labels": {**compose, **(labels or {})}},
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00.1Z", **state},
        "HostConfig": {"NetworkMode": f"container:id-of-{holder}" if holder else "demo_default"},
        "NetworkSettings": {
            "Networks": {"demo_default": {"IPAddress": "172.18.0.2", "Gateway": "172.18.0.1"}}
        },
        "RestartCount": 0,
    }
