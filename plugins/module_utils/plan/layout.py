# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is where: the names, ports and addresses of everything in a demo, on the runtime at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.demo.read import Demo, DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.context import Context

LOOPBACK = "127.0.0.1"
BLOCK = 100  # ports that a demo may use, from its `ports` on
ADMIN = "admin"  # slot of the read-only admin listener
APP = "app"  # slot of a service's own port
EXPORTER = "statsd_exporter"
ADMIN_PORT = 9902
EXPORTER_PORTS = {"http": 9102, "statsd": 9125}


@dataclass(frozen=True)
class Proxy:
    """One Envoy to run: `group` is the service or proxy of the demo file, `name` this instance of it."""

    name: str
    group: str
    place: str  # sidecar | edge
    replica: int
    spec: Mapping[str, Any]

    @property
    def workload(self) -> str:
        return f"{self.name}-envoy" if self.place == "sidecar" else self.name


class Layout:
    """Computes every port and address of a demo, so that none is ever written."""

    def __init__(self, demo: Demo, context: Context) -> None:
        self.demo = demo
        self.context = context
        self._slots = {slot: position for position, slot in enumerate(self._all_slots())}
        self._check_ports()

    # Who there is

    def proxies(self) -> Iterator[Proxy]:
        """All Envoys: sidecars in the order of the file, then the others."""
        for name, service in self.demo["services"].items():
            if service["sidecar"]:
                for replica, instance in self.instances(name):
                    yield Proxy(instance, name, "sidecar", replica, service["sidecar"])
        for name, spec in self.demo["proxies"].items():
            yield Proxy(name, name, "edge", 1, spec)

    def instances(self, group: str) -> list[tuple[int, str]]:
        """Return (replica, name) of what runs for `group`."""
        if group in self.demo["services"]:
            return [(replica, f"{group}-{replica}") for replica in range(1, self.demo["services"][group]["replicas"] + 1)]
        return [(1, group)]

    # Where they listen

    def port(self, group: str, slot: str, replica: int = 1) -> int:
        """Return the port on which `slot` of `group` listens.

        In a container that is the port as stated. On `local` it is the published one, or one of the demo's block, counted so
        that a further replica moves nobody else's port.
        """
        stated, publish = self._stated(group, slot)
        if not self.context.local:
            return stated
        return publish if publish and replica == 1 else self.block_port(group, slot, replica)

    def published(self, group: str, slot: str, replica: int = 1) -> int | None:
        """Return the host's port by which people reach `slot` of `group`, or None."""
        if self.context.local:
            return self.port(group, slot, replica)
        _stated, publish = self._stated(group, slot)
        if replica != 1:
            return None
        if publish or slot not in (ADMIN, "http"):
            return publish
        if group == EXPORTER or self._is_published(group):
            return self.block_port(group, slot, replica)
        return None

    def bind(self, group: str, slot: str, replica: int = 1) -> str:
        """Return the address on which `slot` of `group` listens: loopback wherever nobody else needs it."""
        _stated, publish = self._stated(group, slot)
        if self.context.local:
            return self.context.bind if publish and replica == 1 else LOOPBACK
        private = slot == APP and self.demo["services"][group]["sidecar"] and not publish
        return LOOPBACK if private and not self._asked_directly(group) else "0.0.0.0"

    def block_port(self, group: str, slot: str, replica: int) -> int:
        offset = (replica - 1) * len(self._slots) + self._slots[group, slot]
        if offset >= BLOCK:
            raise DemoError(
                self.demo["file"],
                f"{group}: needs port {self.demo['ports'] + offset}, past the demo's block of {BLOCK} from {self.demo['ports']}"
                " on; use fewer replicas or services",
            )
        return int(self.demo["ports"]) + offset

    # How others reach them

    def reach(self, target: str, seen_from: str, where: str) -> list[Address]:
        """Return the addresses of all replicas of `target` (`service`, `service/app`, `proxy`, `proxy/listener`).

        `seen_from` is the instance that asks: what shares its network is on loopback.
        """
        group, slot = self.target(target, where)
        return [(self.host(instance, seen_from), self.port(group, slot, one)) for one, instance in self.instances(group)]

    def host(self, instance: str, seen_from: str) -> str:
        return LOOPBACK if self.context.local or instance == seen_from else instance

    def target(self, target: str, where: str) -> tuple[str, str]:
        """Return (group, slot) for a name in a demo file. Raises DemoError."""
        group, _slash, part = target.partition("/")
        if group not in self.demo["services"] and group not in self.demo["proxies"]:
            names = [*self.demo["services"], *self.demo["proxies"]]
            raise DemoError(self.demo["file"], f"{where}: there is no service or proxy '{group}'; there is: {', '.join(names)}")
        listeners = list(self.spec(group)["listeners"]) if self.spec(group) else []
        if part == APP and group in self.demo["services"]:
            return group, APP
        if not part:
            return group, listeners[0] if listeners else APP
        if part in listeners:
            return group, part
        parts = [*listeners, APP] if group in self.demo["services"] else listeners
        raise DemoError(self.demo["file"], f"{where}: '{group}' has no '{part}'; it has: {', '.join(parts)}")

    def spec(self, group: str) -> Mapping[str, Any] | None:
        """Return the proxy that stands before `group`, or None."""
        service = self.demo["services"].get(group)
        found: Mapping[str, Any] | None = service["sidecar"] if service else self.demo["proxies"][group]
        return found

    def listener(self, group: str, slot: str) -> Mapping[str, Any] | None:
        spec = self.spec(group)
        return spec["listeners"].get(slot) if spec else None

    def shares_exporter_network(self, proxy: Proxy) -> bool:
        """Whether 127.0.0.1 of `proxy` is the exporter's too."""
        return self.context.local or (proxy.replica == 1 and self.demo[EXPORTER]["beside"] == proxy.group)

    def network_owner(self, group: str) -> str:
        """Return the workload whose network the first instance of `group` uses."""
        instance = self.instances(group)[0][1]
        return f"{instance}-envoy" if group in self.demo["services"] and self.spec(group) else instance

    def exporter_network(self) -> str | None:
        """Return the instance whose network the exporter shares, or None."""
        beside = self.demo[EXPORTER]["beside"]
        return self.instances(beside)[0][1] if beside else None

    # Inside

    def _all_slots(self) -> Iterator[tuple[str, str]]:
        for name, service in self.demo["services"].items():
            yield name, APP
            if service["sidecar"]:
                yield from ((name, listener) for listener in [*service["sidecar"]["listeners"], ADMIN])
        for name, proxy in self.demo["proxies"].items():
            yield from ((name, listener) for listener in [*proxy["listeners"], ADMIN])
        if self.demo[EXPORTER]:
            yield from ((EXPORTER, slot) for slot in EXPORTER_PORTS)

    def _stated(self, group: str, slot: str) -> tuple[int, int | None]:
        """Return the port and the published port as the demo file states them."""
        if group == EXPORTER:
            return EXPORTER_PORTS[slot], self.demo[EXPORTER]["publish"] if slot == "http" else None
        if slot == APP:
            service = self.demo["services"][group]
            return service["port"], service["publish"]
        if slot == ADMIN:
            return ADMIN_PORT, ((self.spec(group) or {}).get("admin") or {}).get("publish")
        listener = self.listener(group, slot)
        assert listener is not None
        return listener["port"], listener["publish"]

    def _is_published(self, group: str) -> bool:
        spec = self.spec(group)
        return bool(spec) and any(listener["publish"] for listener in spec["listeners"].values())

    def _asked_directly(self, service: str) -> bool:
        clusters = (cluster["to"] for proxy in self.proxies() for cluster in proxy.spec["clusters"].values())
        return f"{service}/{APP}" in clusters

    def _check_ports(self) -> None:
        """No two things that share a network, or the host, may listen on one port."""
        taken: dict[tuple[str, int], str] = {}
        for group, slot in self._slots:
            for replica, instance in self.instances(group):
                network = self._network(instance)
                self._take(taken, network, self.port(group, slot, replica), f"{group}/{slot}")
                published = self.published(group, slot, replica)
                if published and not self.context.local:
                    self._take(taken, "the host", published, f"{group}/{slot}")

    def _network(self, instance: str) -> str:
        if self.context.local:
            return "the host"
        return (self.exporter_network() or EXPORTER) if instance == EXPORTER else instance

    def _take(self, taken: dict[tuple[str, int], str], network: str, port: int, who: str) -> None:
        other = taken.setdefault((network, port), who)
        if other != who:
            raise DemoError(self.demo["file"], f"port {port} is wanted by {other} and by {who}, which share {network}")
