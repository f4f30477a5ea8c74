# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything of a demo is on the platform at hand: ports, addresses, and who shares a network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import PORT, ready, said
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    APP,
    EXPORTER,
    EXPORTER_STATSD,
    Proxy,
    Slot,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    object_name,
    pods_name,
)

LOOPBACK = "127.0.0.1"
# Addresses that mean all of the host's, and by which of them to reach what listens there.
WILDCARDS = {"0.0.0.0": LOOPBACK, "::": "::1"}
BLOCK = 100  # ports that a demo may use, from its `ports` on


def netloc(host: str, port: int | None) -> str:
    """Return `host:port` as URLs and command lines write it, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Layout:
    """Computes every port and address of a demo, so that none is ever written.

    Raises DemoError where two things would have one name or one port.
    """

    def __init__(self, demo: Demo, context: Context) -> None:
        self.demo = demo
        self.context = context
        self._slots = {(slot.group, slot.name): slot for slot in topology.slots(demo)}
        self._positions = {key: position for position, key in enumerate(self._slots)}
        topology.check_names(demo, context.pods)
        self._check_ports()

    def proxies(self) -> Iterator[Proxy]:
        """Yield all Envoys: sidecars in the order of the file, then the others."""
        return topology.proxies(self.demo, self.context.pods)

    def instances(self, group: str) -> list[tuple[int, str]]:
        """Return (replica, name) of what runs for `group`; pods are made of one instance, whatever their number."""
        return topology.instances(self.demo, group, self.context.pods)

    def pods(self, group: str) -> int:
        """Return how many pods one workload of `group` stands for."""
        return self.replicas(group) if self.context.pods else 1

    def replicas(self, group: str) -> int:
        """Return how many replicas `group` has."""
        return topology.replicas(self.demo, group)

    # Where they listen

    def port(self, group: str, slot: str, replica: int = 1) -> int:
        """Return the port on which `slot` of `group` listens.

        In a container that is the port as stated. On `local` it is the published one, or one of the demo's block,
        counted so that a further replica moves nobody else's port.
        """
        one = self._slots[group, slot]
        if not self.context.local or self._decides_itself(one):
            return one.stated
        return one.publish if one.publish and replica == 1 else self._block_port(one, replica)

    def published(self, group: str, slot: str, replica: int = 1) -> int | None:
        """Return the port by which people reach `slot` of `group`, the host's or a Service's, or None."""
        one = self._slots[group, slot]
        if self.context.local:
            return self.port(group, slot, replica)
        if self.context.pods:
            return one.publish if replica == 1 else None
        if replica == 1 and one.publish:
            return one.publish
        wanted = one.asked or (one.browsed and replica == 1)
        return self._block_port(one, replica) if wanted else None

    def bind(self, group: str, slot: str, replica: int = 1) -> str:
        """Return the address on which `slot` of `group` listens: loopback wherever nobody else needs it."""
        one = self._slots[group, slot]
        if self.context.local:
            return self.context.bind if one.publish and replica == 1 else LOOPBACK
        if slot == EXPORTER_STATSD and group == EXPORTER:
            proxies = list(self.proxies())
            known = bool(proxies) and not one.publish  # otherwise senders are no part of the demo
            private = known and all(self.shares_exporter_network(proxy) for proxy in proxies)
        else:
            private = slot == APP and not (one.publish or one.asked) and self._only_inside_asks(group)
        return LOOPBACK if private else "0.0.0.0"

    # How they are reached

    def reach(self, target: str, seen_from: str, where: str) -> list[Address]:
        """Return the addresses of all replicas of `target`, seen from an instance. Raises DemoError.

        `target` is as in `topology.target`, `where` the key that says it.
        """
        group, slot = topology.target(self.demo, target, where)
        return [
            (self._host(group, slot, replica, instance, seen_from), self.port(group, slot, replica))
            for replica, instance in self.instances(group)
        ]

    def seen(self, group: str, slot: str, seen_from: str) -> Address:
        """Return the address of `slot` of `group`, seen from an instance: that of its first replica, or a name that all pods have."""
        instance = (
            self.exporter_host()
            if group == EXPORTER
            else topology.instance(self.demo, group, 1, self.context.pods)
        )
        return self._host(group, slot, 1, instance, seen_from), self.port(group, slot)

    def inside(self, group: str, slot: str, replica: int = 1) -> str:
        """Return the address of `slot` for what shares its network: on `local` the host's, else the container's own."""
        address = self.bind(group, slot, replica) if self.context.local else LOOPBACK
        return WILDCARDS.get(address, address)

    def outside(self, group: str, slot: str, replica: int = 1) -> str:
        """Return `host:port` by which people, and the host's own programs, reach a `slot` that is published, or a read-only admin."""
        if self.context.pods:
            # No Service has the port of an admin that is not published; what is forwarded to is the pod's.
            return netloc(self.service_name(group), self.published(group, slot) or self.port(group, slot))
        address = self.bind(group, slot, replica) if self.context.local else self.context.bind
        address = WILDCARDS.get(address, address)
        return netloc(address, self.published(group, slot, replica))

    def service_name(self, group: str) -> str:
        """Return the name by which people find `group` in a cluster: that of the Service of its published ports."""
        return object_name(self.demo["name"], group)

    def is_elsewhere(self, target: str, proxy: Proxy) -> bool:
        """Whether `target`, as a cluster of `proxy` names it, is something else than the app beside it."""
        return not (proxy.place == "sidecar" and target in (proxy.group, f"{proxy.group}/{APP}"))

    def peers(self, group: str, slot: str) -> tuple[str, ...]:
        """Return the groups that connect to `slot` of `group`, besides those who share its network."""
        found: list[str] = []
        for asker, called in self._calls:
            if asker != group and called == (group, slot):
                found.append(asker)
        if (group, slot) == (EXPORTER, EXPORTER_STATSD):
            found += [proxy.group for proxy in self.proxies() if not self.shares_exporter_network(proxy)]
        return tuple(dict.fromkeys(found))

    @cached_property
    def _calls(self) -> list[tuple[str, tuple[str, str]]]:
        """Who calls whom: (group, the group and slot that it calls), of everybody who calls somebody else of the demo."""
        return list(self._who_calls())

    def _who_calls(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for proxy in self.proxies():
            for name, cluster in proxy.spec["clusters"].items():
                for one in topology.targets(cluster):
                    yield proxy.group, topology.target(self.demo, one, f"{proxy.where}.clusters.{name}")
        for name, service in self.demo["services"].items():
            for hop in (service["app"] or {}).get("calls", []):
                yield name, topology.target(self.demo, hop, f"services.{name}.app.calls")
            for slot in topology.told(self.demo, name).values():
                yield name, (slot.group, slot.name)

    # Who is beside the exporter

    def shares_exporter_network(self, proxy: Proxy) -> bool:
        """Whether 127.0.0.1 of `proxy` is the exporter's too."""
        return self.context.local or proxy.name == self.exporter_host()

    def exporter_host(self) -> str:
        """Return the name by which other containers reach the exporter: its own, or that of the instance beside it."""
        beside = self.demo[EXPORTER]["shares_network_with"]
        return self.instances(beside)[0][1] if beside else EXPORTER

    def exporter_network(self) -> str | None:
        """Return the workload whose network the exporter uses, or None where it has its own."""
        beside = self.demo[EXPORTER]["shares_network_with"]
        if self.context.local or not beside:
            return None
        host = self.exporter_host()
        has_sidecar = beside in self.demo["services"] and topology.proxy_of(self.demo, beside) is not None
        return topology.sidecar_workload(host) if has_sidecar else host

    # Inside

    def _host(self, group: str, slot: str, replica: int, instance: str, seen_from: str) -> str:
        if self.context.local or instance == seen_from:
            return self.inside(group, slot, replica)
        return pods_name(self.demo["name"], group) if self.context.pods else instance

    def _block_port(self, slot: Slot, replica: int) -> int:
        first = int(self.demo["ports"])
        port = first + (replica - 1) * len(self._slots) + self._positions[slot.group, slot.name]
        if port >= first + BLOCK:
            raise DemoError(
                self.demo["file"],
                f"{slot.group}: needs port {port}, past the demo's block of {BLOCK} from {first} on;"
                " use fewer replicas or services",
            )
        return port

    def _decides_itself(self, slot: Slot) -> bool:
        """Whether it is a program that does not ask for its port: it listens where its own command says."""
        server = (self.demo["services"].get(slot.group) or {"server": None})["server"]
        if server is None or slot.name not in (APP, *server["ports"]):
            return False
        return (PORT if slot.name == APP else slot.name) not in said(server)

    def _only_inside_asks(self, service: str) -> bool:
        """Whether nobody goes past the service's sidecar to the app itself.

        A program has one address for all of its ports. Whether it serves is asked from outside, by a connection in pods
        and for a page in containers too.
        """
        server = self.demo["services"][service]["server"]
        if topology.proxy_of(self.demo, service) is None or topology.server_ports(self.demo, service):
            return False
        if server is not None and (self.context.pods or ready(server)):
            return False
        return (service, APP) not in {called for group, called in self._calls if group != service}

    def _check_ports(self) -> None:
        """No two things that share a network, or the host, may listen on one port."""
        taken: dict[tuple[str, int], str] = {}
        for group, slot in self._slots:
            for replica, instance in self.instances(group):
                who = f"{instance}/{slot}"
                self._take(taken, self._network(instance), self.port(group, slot, replica), who)
                published = self.published(group, slot, replica)
                if published and not self.context.local:
                    service = f"the Service of {group}"
                    self._take(taken, service if self.context.pods else "the host", published, who)
        for one in self._slots.values():
            if self.context.local and self._decides_itself(one) and one.publish not in (None, one.stated):
                raise DemoError(
                    self.demo["file"],
                    f"services.{one.group}.publish: nothing forwards {one.publish} to the server's own {one.stated}"
                    " on platform local; state the same port twice, or tell the server: ${"
                    f"{PORT if one.name == APP else one.name}}}",
                )

    def _network(self, instance: str) -> str:
        if self.context.local:
            return "the host"
        return self.exporter_host() if instance == EXPORTER else instance

    def _take(self, taken: dict[tuple[str, int], str], network: str, port: int, who: str) -> None:
        other = taken.setdefault((network, port), who)
        if other != who:
            raise DemoError(
                self.demo["file"], f"port {port} is wanted by {other} and by {who}, which share {network}"
            )
