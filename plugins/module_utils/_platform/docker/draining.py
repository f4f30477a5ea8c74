# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait until a previous generation of a container has no connections, so that it can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import BlockingAdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    ListedContainer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

LONGEST_READ = 5.0  # seconds for one answer of an admin interface
PARENT_CONNECTIONS = "/stats?format=json&filter=^server\\.parent_connections$"


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
            if (one.get("workload") or one["proxy"]) == workload:
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

    def is_drained(self, timeout: float) -> bool:
        """Return whether the previous generation has no connections. An Envoy that does not respond is not waited for."""
        try:
            stats = self.admin.get_json(PARENT_CONNECTIONS, min(timeout, LONGEST_READ))["stats"]
        except (ScrapeError, KeyError, TypeError):
            return True
        return not any(stat.get("value") for stat in stats)


def wait_until_drained(
    docker: DockerCommand,
    containers: Sequence[ListedContainer],
    workloads: Mapping[str, Workload],
    admins: Sequence[Mapping[str, Any]],
    timeout: float,
) -> None:
    """Return when no container has a connection, or after `timeout` seconds.

    Args:
        docker: The docker command of the project.
        containers: Containers of previous generations.
        workloads: The workloads with their current generations, by name.
        admins: The plan's `admins`.
        timeout: Seconds until the deadline.
    """
    names = dict.fromkeys(container.workload for container in containers)
    checks: list[Callable[[float], bool]] = [
        found.is_drained
        for name in names
        if workloads[name].replacement == "hot_restart" and (found := HotRestart.of(name, admins))
    ]
    overlapping = [one for one in containers if workloads[one.workload].replacement == "overlap"]
    checks += [_connections_check(pid, ports) for pid, ports in _listening(docker, overlapping)]
    for left in attempts(timeout) if checks else ():
        checks = [check for check in checks if not check(max(left, 1.0))]
        if not checks:
            return


def _listening(
    docker: DockerCommand, containers: Sequence[ListedContainer]
) -> Iterable[tuple[int, frozenset[int]]]:
    """Yield the process of each container that runs, and the TCP ports of its workload."""
    for one in docker.inspect(container.name for container in containers).values():
        if one.pid and one.ports:
            yield one.pid, one.ports


def _connections_check(pid: int, ports: frozenset[int]) -> Callable[[float], bool]:
    def is_drained(_left: float) -> bool:
        # None where this host does not see the network of containers: the program finishes its requests after the stop signal.
        return not host_ports.connections(pid, ports)

    return is_drained
