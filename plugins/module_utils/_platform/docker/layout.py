# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of platform `docker`: containers of a compose project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import DeployedNetwork
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import CONTEXT, Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import FILE, compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.holder import (
    SUFFIX,
    holders,
    kept_ports,
    ports_of_host,
    published_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.inner_ports import (
    moved_numbers,
    recorded_numbers,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    File,
    titled,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Documents, Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_hosts import HOST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    DISTROLESS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.service_replacement import (
    QUIET,
    Obstacle,
    callers_at_start,
    obstacle,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

# Networks in which Docker's DNS resolves no names of containers (Docker documentation, "Networking overview").
NAMELESS_NETWORKS = ("bridge", "default", "host", "none")


class DockerPlatform(Platform):
    """Each instance is a container that the others reach by its name. The base class describes everything else."""

    # The holder of an instance has its names, and pods have a drain command.
    unused_fields = ("network", "hostname", "holder_image", "drain")

    @classmethod
    def check_context(cls, context: Context) -> None:
        """Raise DemoError for a network in which containers have no names."""
        if context.network in NAMELESS_NETWORKS or context.network.startswith("container:"):
            raise DemoError(
                CONTEXT,
                f"network: containers of Docker's network '{context.network}' have no names, by which the proxies of a demo reach each"
                f" other. Leave it empty, or use a network of `docker network create`. A program on the host is reachable as '{HOST}'.",
            )

    def name_warnings(self) -> list[str]:
        """Return that containers outside the demo can have its names, in a network that exists without the demo."""
        if not (self.context.network and self.has_author_config):
            return []
        names = ", ".join([*self.demo["services"], *self.demo["proxies"]])
        warning = (
            f"Docker's network '{self.context.network}' can have other containers with the names {names}, and a name resolves to all of"
            " them. Remove these containers from the network, or rename the services."
        )
        return [warning]

    def port(self, group: str, name: str, replica: int = 1) -> int:
        """Return the number in the network of the instance: that of the demo, or another one next to a previous generation."""
        port = self.ports[group, name]
        return self._inner.get(self.port_key(port, replica), port.number)

    def inner_ports(self) -> dict[str, int]:
        """Return the numbers in networks of instances that differ from those of the demo."""
        return self._inner

    def service_obstacle(self, instance: Instance) -> Obstacle | None:
        """Return what prevents two containers of an instance: they share the files, but each has a directory for its data."""
        return obstacle(self, instance, self._callers_at_start, shares_files=True, shares_data=False)

    def move_ports(self, instances: Sequence[Instance]) -> None:
        """Choose other numbers in the networks of the instances."""
        self._inner = moved_numbers(self, instances, self._inner)

    @cached_property
    def _inner(self) -> dict[str, int]:
        return recorded_numbers(self)

    @cached_property
    def _callers_at_start(self) -> dict[tuple[str, str], str]:
        return callers_at_start(self)

    def container_name(self, proxy: Proxy) -> str:
        """Return the name that compose gives to the container of the network of `proxy`, which no replacement changes."""
        return f"{self.demo['name']}-{proxy.name}{SUFFIX}-1"

    def complete_workloads(self, workloads: Sequence[Workload]) -> list[Workload]:
        """Return the workloads with the image of their holders: the image with Python, as Envoy's can have no program that waits."""
        image = self.context.app_image or self.context.python.image
        return [replace(one, holder_image=image) for one in workloads]

    def hot_restart_id(self, proxy: Proxy) -> int | None:
        """Return 0: each instance has an IPC namespace and a network of its own. None: the image of the Envoy has no shell."""
        return None if DISTROLESS in self.envoy(proxy).image else 0

    def envoy_obstacle(self, workload: Workload) -> Obstacle | None:
        """Return that an Envoy of a distroless image does not restart hot."""
        if DISTROLESS not in workload.image:
            return None
        return Obstacle(
            f"its image {workload.image} has no shell, which starts an Envoy that takes over from another one",
            f"Use the image without {DISTROLESS} in its name, or {QUIET}",
        )

    def networks(self, workloads: Sequence[Workload]) -> dict[str, DeployedNetwork]:
        """Return each holder, in which no program can stay when its definition changes."""
        found = {}
        for host in self.hosts:
            own = [one for one in workloads if one.host == host]
            known = self.context.deployed.networks
            for name, holder in holders(own, self.hosts[host].address, known).items():
                found[name] = DeployedNetwork(holder.digest, holder.published)
        return found

    def instance_of_network(self, network: str) -> str:
        """Return the instance of a holder."""
        return network.removesuffix(SUFFIX)

    def network_warnings(self, workloads: Sequence[Workload]) -> list[str]:
        """Return the published ports that this deployment leaves without a program."""
        known, removed = self.context.deployed, {*self.context.deployed.numbers.values()}
        left: list[tuple[str, int]] = []
        for host in self.hosts:
            own = [one for one in workloads if one.host == host]
            planned = holders(own, self.hosts[host].address)
            needed = ports_of_host(planned.values())
            for name, holder in planned.items():
                kept = kept_ports(holder, needed, known.networks.get(name))
                left += [(self.instance_of_network(name), published_number(port)) for port in sorted(kept)]
        return [
            f"port {number} of {name} stays reserved on the host, and no program answers there: Docker removes a port only with its"
            " container. Tear the demo down and deploy it again to release the port."
            for name, number in left
            if number in removed
        ]

    def sidecar_health_port(self, instance: Instance) -> int | None:
        """Return the port of the sidecar's read-only admin interface. An author's sidecar has none."""
        sidecar = self.demo["services"][instance.group]["sidecar"]
        if sidecar is None or sidecar["config"] is not None:
            return None
        return self.port(instance.group, ADMIN, instance.replica)

    def documents(
        self, host: str, workloads: Sequence[Workload], files: Sequence[File], certificates: Sequence[str]
    ) -> Documents:
        """Return compose.yaml."""
        del files, certificates
        name = self.demo["name"]
        context = self.context
        project = compose(
            name,
            workloads,
            self.hosts[host].address,
            context.network or None,
            context.selinux_relabel,
            context.deployed.networks,
        )
        document = File(FILE, titled(f"{name}: docker compose up", project), host=host)
        return Documents(files=(document,), commands=("docker compose up",))
