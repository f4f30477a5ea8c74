# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers of a compose project, compared with the workloads that it should run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    InspectedContainer,
    ListedContainer,
    definitions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.holder import (
    holder_names,
    service_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Replacement, Workload

# States in which a container serves, or did until a moment ago.
SERVING = ("running", "restarting")


@dataclass
class Project:
    """The containers of one project.

    Attributes:
        name: The name of the compose project.
        workloads: The workloads by name.
        all: All containers of the daemon, also those of other projects.
        inspected: The listed containers by service.
        incompatible: The hot-restart versions of each workload whose running Envoy cannot hand over to the new one.
    """

    name: str
    workloads: Mapping[str, Workload]
    all: Sequence[ListedContainer] = ()
    inspected: Mapping[str, InspectedContainer] = field(default_factory=dict)
    incompatible: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the services of the workloads and of their holders."""
        self.holder_of = holder_names(self.workloads.values())
        self.service_of = {name: service_name(workload) for name, workload in self.workloads.items()}
        self.workload_of = {service: name for name, service in self.service_of.items()}

    @property
    def services(self) -> list[str]:
        """The services that the project should have: the holders first."""
        return [*dict.fromkeys(self.holder_of.values()), *self.service_of.values()]

    @property
    def own(self) -> list[ListedContainer]:
        """The containers of the project."""
        return [one for one in self.all if one.project == self.name and one.service]

    @property
    def unlisted(self) -> list[ListedContainer]:
        """The containers of previous generations, and of workloads that the project should not have any more."""
        services = {*self.services}
        return [one for one in self.own if one.service not in services]

    @property
    def previous(self) -> dict[str, list[ListedContainer]]:
        """The containers of previous generations that serve, by name of the workload."""
        found: dict[str, list[ListedContainer]] = {}
        for one in self.unlisted:
            if one.workload in self.workloads and one.state in SERVING:
                found.setdefault(one.workload, []).append(one)
        return found

    def removed_names(self, containers: Iterable[ListedContainer]) -> list[str]:
        """Return the workloads that `containers` ran and that the project should not have any more."""
        return [one.workload for one in containers if one.workload and one.workload not in self.workloads]

    def names(self, containers: Iterable[ListedContainer]) -> list[str]:
        """Return the workloads of containers. A holder is no workload."""
        return [one.workload for one in containers if one.workload]

    def forget(self, containers: Iterable[ListedContainer]) -> None:
        """Take note that containers were removed."""
        ids = {one.id for one in containers}
        self.all = [one for one in self.all if one.id not in ids]

    def stale(self, document: str) -> set[str]:
        """Return the services whose container has another definition than the document, or another holder."""
        holders = {self.service_of[name]: holder for name, holder in self.holder_of.items()}
        return stale_services(definitions(document), self.inspected, holders)

    def runs(self, document: str) -> bool:
        """Return whether a container with its definition in the document runs for each service, and none for another service."""
        running = {
            service: one.definition for service, one in self.inspected.items() if one.status == "running"
        }
        return bool(running) and running == definitions(document) and {*running} == {*self.services}

    def without_network(self) -> list[str]:
        """Return the workloads whose container is older than its holder: the network that they share no longer exists."""
        found = []
        for name, service in self.service_of.items():
            container, holder = self.inspected.get(service), self.inspected.get(self.holder_of[name])
            if container and holder and container.started < holder.started and container.status in SERVING:
                found.append(name)
        return found

    def changes(self, document: str) -> AppliedChanges:
        """Return which workloads a deployment of the document starts, and which it replaces, and how."""
        previous, stale, detached = self.previous, self.stale(document), self.without_network()
        started: list[str] = []
        replaced: dict[str, Replacement] = {}
        for name, service in self.service_of.items():
            container = self.inspected.get(service)
            holder = self.inspected.get(self.holder_of[name])
            if container is None and name in previous:
                replaced[name] = "stop" if name in self.incompatible else self.workloads[name].replacement
            elif container is None or container.status not in SERVING:
                started.append(name)
            elif service in stale or name in detached or holder is None or holder.status not in SERVING:
                replaced[name] = "stop"
        return AppliedChanges(sorted_names(started), sorted_names(replaced), replaced=replaced)


def stale_services(
    needed: Mapping[str, str], inspected: Mapping[str, InspectedContainer], holders: Mapping[str, str]
) -> set[str]:
    """Return the services whose container has to be made again.

    Args:
        needed: The definition of each service.
        inspected: The containers by service.
        holders: The service of the holder of each service that shares a network.
    """
    found = {
        service
        for service, container in inspected.items()
        if needed.get(service, container.definition) != container.definition
    }
    for service, holder_service in holders.items():
        container, holder = inspected.get(service), inspected.get(holder_service)
        if container and (holder is None or holder_service in found or holder.id != container.network):
            found.add(service)
    return found
