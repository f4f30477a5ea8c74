# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services of a compose project: the generations of workloads, and the holder of each instance.

The holder is a container that owns the network, the IPC namespace, the names and the published ports of an instance, and runs
nothing but a wait. The workloads of the instance join it, so each of them can end, or be replaced, without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import DeployedNetwork
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import data_digest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_hosts import HOST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    UNPRIVILEGED_PORT_SYSCTL,
    Port,
    Workload,
    WorkloadError,
    network_owners,
)

# The name of the holder of instance `web-1` is `web-1-network`.
SUFFIX = "-network"
WAIT = ("sleep", "infinity")
MEMORY_MB = 32  # runc itself needs some 10 MB to start a container
PIDS = 16


@dataclass(frozen=True)
class Holder:
    """The holder of one instance.

    Attributes:
        name: Its service in compose.yaml.
        image: Its image, which has the program `sleep`.
        hostname: The host name of all containers of the instance.
        aliases: The names by which other containers reach the instance.
        published: The published ports of the instance, as compose.yaml has them.
        used: The ports that the programs of the instance listen on, as in `80` and `53/udp`.
    """

    name: str
    image: str
    hostname: str
    aliases: tuple[str, ...]
    published: tuple[str, ...]
    used: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """The digest of the definition."""
        return data_digest([self.image, self.network_keys])

    @property
    def network_keys(self) -> dict[str, Any]:
        """The keys of compose.yaml that describe the network. They do not depend on what can change while the demo runs."""
        return {
            "hostname": self.hostname,
            "ports": list(self.published),
            # Docker sets it to 0 by default since version 20.10, other engines do not.
            "sysctls": {UNPRIVILEGED_PORT_SYSCTL: 0},
            # A name for programs on the host itself: Docker Desktop has it, other engines do not.
            "extra_hosts": [f"{HOST}:host-gateway"],
            "networks": {"default": {"aliases": list(self.aliases)}},
            # Envoy's hot restart passes its listening sockets through the memory and the abstract sockets of these namespaces.
            "ipc": "shareable",
        }


def service_name(workload: Workload) -> str:
    """Return the service of a generation of a workload: `edge`, or `edge-g2` for generation 2.

    Compose allows a dot in the name of a service, but separates the keys of a path by it, so that `edge.2` is a key of `edge`.
    """
    return workload.program.replace(".", "-g")


def holder_name(owner: Workload) -> str:
    """Return the service of the holder whose network belongs to `owner`."""
    return f"{owner.hostname or owner.name}{SUFFIX}"


def holder_names(workloads: Iterable[Workload]) -> dict[str, str]:
    """Return the service of the holder of each workload, by name of the workload. Raises WorkloadError."""
    return {name: holder_name(owner) for name, owner in network_owners(workloads).items()}


def holders(
    workloads: Iterable[Workload], bind: str, running: Mapping[str, DeployedNetwork] | None = None
) -> dict[str, Holder]:
    """Return the holders by the name of their service.

    Args:
        workloads: The workloads of one host.
        bind: The IP address that published ports are bound to.
        running: The holders that run. One of which only published ports are removed keeps them, because Docker cannot remove a port
            of a running container.

    Raises:
        WorkloadError: Two services have the same name, or a workload refers to a workload that does not exist.
    """
    workloads = list(workloads)
    owners = network_owners(workloads)
    inside: dict[str, list[Workload]] = {owner.name: [owner] for owner in owners.values()}
    for workload in workloads:
        if owners[workload.name] != workload:
            inside[owners[workload.name].name].append(workload)
    found: dict[str, Holder] = {}
    taken = {service_name(workload) for workload in workloads}
    for name, members in inside.items():
        holder = _holder(members, bind)
        if holder.name in taken:
            raise WorkloadError(
                f"workload {name}: the container of its network is named {holder.name}, as another container. Rename one of them."
            )
        taken.add(holder.name)
        found[holder.name] = holder
    needed = ports_of_host(found.values())
    kept = {name: kept_ports(holder, needed, (running or {}).get(name)) for name, holder in found.items()}
    return {
        name: replace(holder, published=tuple(sorted({*holder.published, *kept[name]})))
        for name, holder in found.items()
    }


def kept_ports(
    holder: Holder, needed: Set[tuple[int, str]], running: DeployedNetwork | None
) -> frozenset[str]:
    """Return the published ports that a holder has and no longer needs, if it can stay with them.

    Args:
        holder: The holder as the demo needs it.
        needed: The ports of the host that any holder of the demo publishes; see `ports_of_host`.
        running: The holder that runs.
    """
    if running is None:
        return frozenset()
    unneeded = frozenset(running.published) - {*holder.published}
    with_all = replace(holder, published=tuple(sorted({*holder.published, *unneeded})))
    if with_all.digest != running.digest or any(
        _inner_port(port) in holder.used or _published_key(port) in needed for port in unneeded
    ):
        return frozenset()
    return unneeded


def ports_of_host(holders_of_demo: Iterable[Holder]) -> set[tuple[int, str]]:
    """Return the ports of the host, with their protocols, that holders publish."""
    return {_published_key(port) for holder in holders_of_demo for port in holder.published}


def published_number(published: str) -> int:
    """Return the port of the host of a published port.

    Example:
        >>> published_number("[::1]:53:5353/udp")
        53
    """
    return int(published.rpartition(":")[0].rpartition(":")[2])


def published_numbers(networks: Iterable[DeployedNetwork]) -> set[int]:
    """Return the ports in networks that are published.

    Example:
        >>> published_numbers([DeployedNetwork("", ("127.0.0.1:8080:80", "[::1]:53:5353/udp"))])
        {80, 5353}
    """
    return {int(_inner_port(port).partition("/")[0]) for one in networks for port in one.published}


def holder_services(found: Mapping[str, Holder], limits: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services of holders for compose.yaml. `limits` are the keys that all containers of a demo have."""
    return {
        name: {
            "image": holder.image,
            "entrypoint": [WAIT[0]],
            "command": [*WAIT[1:]],
            "user": "65534:65534",
            **limits,
            "mem_limit": f"{MEMORY_MB}m",
            "pids_limit": PIDS,
            # Process 1 ignores SIGTERM without a handler, and a wait has nothing to end gracefully.
            "stop_signal": "SIGKILL",
            **{key: value for key, value in holder.network_keys.items() if value not in ("", [], {})},
        }
        for name, holder in found.items()
    }


def _holder(members: list[Workload], bind: str) -> Holder:
    """Return the holder of an instance; its owner is the first member."""
    owner = members[0]
    # Not the names of the workloads: a sidecar that is added must not change the holder.
    aliases = sorted(
        {owner.hostname or owner.name, *(alias for member in members for alias in member.aliases)}
    )
    published = sorted(
        {_published(port, bind) for member in members for port in member.ports if port.published}
    )
    return Holder(
        holder_name(owner),
        owner.holder_image or owner.image,
        owner.hostname,
        tuple(aliases),
        tuple(published),
        frozenset(_with_protocol(port.number, port) for member in members for port in member.ports),
    )


def _published(port: Port, bind: str) -> str:
    host = f"[{bind}]" if ":" in bind else bind
    return f"{host}:{port.published}:{_with_protocol(port.number, port)}"


def _with_protocol(number: int, port: Port) -> str:
    return f"{number}" if port.protocol == "tcp" else f"{number}/{port.protocol}"


def _inner_port(published: str) -> str:
    return published.rpartition(":")[2]


def _published_key(published: str) -> tuple[int, str]:
    """Return the port of the host and its protocol, which two containers cannot publish, whatever their address is."""
    return published_number(published), published.partition("/")[2]
