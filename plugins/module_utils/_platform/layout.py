# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of a demo: the instances, ports and addresses that one platform gives it.

The base class describes containers: each instance has its own network, listens on the ports of the demo file, and is
reached by its name. A platform overrides what differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import author_targets
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import readiness_page
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    APP,
    EXPORTER,
    EXPORTER_STATSD,
    ListeningPort,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import LOOPBACK, Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployed.block_ports import (
    BlockPorts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy

ALL_ADDRESSES = "0.0.0.0"


def netloc(host: str, port: int | None) -> str:
    """Return `host:port` as URLs and command lines take it, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Layout(BlockPorts):
    """The instances, ports and addresses of one demo on one platform.

    Raises:
        DemoError: Two instances would have the same name, or two ports of one network the same number.
    """

    def __init__(self, demo: Demo, context: Context) -> None:
        self.demo = demo
        self.context = context
        self.hosts = context.all_hosts()
        self.ports = {(one.group, one.name): one for one in topology.listening_ports(demo)}

    # Instances

    def instance_name(self, group: str, replica: int) -> str:
        """Return the name of a replica of `group`, whether or not the demo has that many replicas."""
        return f"{group}-{replica}" if group in self.demo["services"] else group

    def planned_replicas(self, group: str) -> int:
        """Return the number of instances that the plan has for `group`."""
        return self.replicas(group)

    def replicas(self, group: str) -> int:
        """Return the number of replicas of `group`."""
        return topology.replicas(self.demo, group)

    def workload_replicas(self, group: str) -> int:
        """Return the number of replicas that one workload of `group` runs."""
        return self.replicas(group) // (self.planned_replicas(group) or 1)

    def instance(self, group: str, replica: int = 1) -> Instance:
        """Return one instance of `group`, whether or not the demo has that many replicas."""
        name = self.instance_name(group, replica)
        return Instance(name, group, replica, self.host_of(group, name))

    def instances(self, group: str) -> list[Instance]:
        """Return the instances of `group`."""
        return [self.instance(group, replica) for replica in range(1, self.planned_replicas(group) + 1)]

    def proxies(self) -> Iterator[Proxy]:
        """Yield all Envoys: the sidecars in the order of the demo file, then the edge proxies."""
        for name, service in self.demo["services"].items():
            if service["sidecar"] is not None:
                for one in self.instances(name):
                    yield Proxy(one.name, name, one.replica, one.host, "sidecar", service["sidecar"])
        for name, spec in self.demo["proxies"].items():
            yield Proxy(name, name, 1, self.host_of(name, name), "edge", spec)

    def injected_proxies(self) -> list[Proxy]:
        """Return the proxies of a service mesh that replace those of the demo. The mesh configures and starts them."""
        return []

    def host_of(self, group: str, instance: str) -> str:
        """Return the name of the host that runs an instance: its own placement, that of its group, or the first host."""
        if group == EXPORTER and (shared := self.demo[EXPORTER]["shares_network_with"]):
            return self.host_of(shared, self.instance_name(shared, 1))
        placement = self.context.placement
        return placement.get(instance) or placement.get(group) or next(iter(self.hosts))

    # Ports

    def port(self, group: str, name: str, replica: int = 1) -> int:
        """Return the number of the port that `group` listens on in its own network."""
        del replica  # each instance has its own network
        return self.ports[group, name].number

    def published_port(self, group: str, name: str, replica: int = 1) -> int | None:
        """Return the number of the port that users and other hosts connect to, or None if it is not published."""
        port = self.ports[group, name]
        if stated := self.stated_port(port, replica):
            return stated
        return self.block_port(port, replica) if self.needs_block_port(port, replica) else None

    def bind_address(self, group: str, name: str, replica: int = 1) -> str:
        """Return the address that `group` listens on: loopback if only programs in the same network connect."""
        port = self.ports[group, name]
        if (group, name) == (EXPORTER, EXPORTER_STATSD):
            proxies = list(self.proxies())
            # A published port receives statsd from outside the demo. An exporter without proxies has no other use.
            private = bool(proxies) and not port.publish
            private = private and all(self.shares_exporter_network(proxy) for proxy in proxies)
        else:
            private = (
                name == APP and not (port.publish or port.serves_stats) and self._only_sidecar_calls(group)
            )
        private = private and not self.is_called_across_hosts(group, name, replica)
        return LOOPBACK if private else ALL_ADDRESSES

    # Addresses

    def own_address(self, group: str, name: str, replica: int = 1) -> str:
        """Return the address of a port of `group` for programs in the same network."""
        del group, name, replica
        return LOOPBACK

    def host_name(self, group: str, replica: int) -> str:
        """Return the name by which other instances on the same host reach `group`."""
        return self.exporter_instance().name if group == EXPORTER else self.instance_name(group, replica)

    def address(self, target: Instance, name: str, source: Instance) -> Address:
        """Return (host, port) of the port `name` of `target`, as `source` reaches it."""
        if target.host != source.host:
            published = self.published_port(target.group, name, target.replica)
            if published:
                return self.hosts[target.host].reachable_address, published
        port = self.port(target.group, name, target.replica)
        if self.shares_network(target, source):
            return self.own_address(target.group, name, target.replica), port
        return self.host_name(target.group, target.replica), port

    def target_addresses(self, target: str, source: Instance, where: str) -> list[Address]:
        """Return the addresses of all replicas of `target`, as `source` reaches them.

        `target` and `where` are those of `topology.resolve_target`, which raises DemoError.
        """
        group, name = topology.resolve_target(self.demo, target, where)
        topology.check_has_port(self.demo, group, name, where)
        return [self.address(one, name, source) for one in self.instances(group)]

    def public_netloc(self, group: str, name: str, replica: int = 1) -> str:
        """Return `host:port` by which users reach a published port, or a read-only admin."""
        host = self.hosts[self.instance(group, replica).host]
        return netloc(host.reachable_address, self.published_port(group, name, replica))

    def is_own_app(self, target: str, proxy: Proxy) -> bool:
        """Return whether `target`, in a cluster of `proxy`, is the app that `proxy` is the sidecar of."""
        return proxy.kind == "sidecar" and target in (proxy.group, f"{proxy.group}/{APP}")

    def network_label(self, instance: Instance) -> str:
        """Return the name of the network of an instance, in which each port number occurs once."""
        return self.exporter_instance().name if instance.group == EXPORTER else instance.name

    def publishing_label(self, instance: Instance) -> str | None:
        """Return the name of the network that published ports are in. None: it is the network of the instance."""
        return self.host_label(instance.host)

    def host_label(self, host: str) -> str:
        """Return the name of a host in an error."""
        return "the host" if len(self.hosts) == 1 else f"host '{host}'"

    def shares_network(self, target: Instance, source: Instance) -> bool:
        """Return whether loopback of `source` is loopback of `target`."""
        network = self.exporter_instance().name if target.group == EXPORTER else target.name
        return network == source.name

    # Connections between groups

    def callers(self, group: str, name: str) -> tuple[str, ...]:
        """Return the groups that connect to a port of `group` from another network."""
        return self._callers.get((group, name), ())

    def is_called_across_hosts(self, group: str, name: str, replica: int) -> bool:
        """Return whether an instance on another host connects to a port of this replica."""
        if len(self.hosts) == 1:
            return False
        host = self.instance(group, replica).host
        callers = self._all_callers.get((group, name), ())
        return any(one.host != host for caller in callers for one in self.instances(caller))

    @cached_property
    def _all_callers(self) -> dict[tuple[str, str], list[str]]:
        """The groups that connect to each port. A group can connect to itself."""
        found: dict[tuple[str, str], list[str]] = {}
        for caller, port in self._connections():
            found.setdefault(port, []).append(caller)
        if self.demo[EXPORTER] is not None:
            found.setdefault((EXPORTER, EXPORTER_STATSD), []).extend(
                proxy.group for proxy in self.proxies() if not self.shares_exporter_network(proxy)
            )
        return found

    @cached_property
    def _callers(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return {
            (group, name): tuple(dict.fromkeys(one for one in callers if one != group))
            for (group, name), callers in self._all_callers.items()
        }

    def _connections(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield (group, the port that it connects to) of each connection that the demo states."""
        for proxy in [*self.proxies(), *self.injected_proxies()]:
            for name, cluster in proxy.spec["clusters"].items():
                for one in topology.cluster_targets(cluster):
                    if self.is_own_app(one, proxy):
                        continue
                    yield proxy.group, topology.resolve_target(self.demo, one, f"{proxy.key}.clusters.{name}")
            for target in author_targets(self.demo, proxy.group):
                if target.group != proxy.group:
                    yield proxy.group, (target.group, target.name)
        for name, service in self.demo["services"].items():
            for call, target in (service["app"] or {}).get("calls", {}).items():
                yield name, topology.resolve_target(self.demo, target, f"services.{name}.app.calls.{call}")
        for name in (*self.demo["services"], *self.demo["proxies"]):
            for port in self.referenced_ports(name).values():
                yield name, (port.group, port.name)

    def referenced_ports(self, group: str) -> dict[str, ListeningPort]:
        """Return the ports that the texts of the server and of the proxy of `group` refer to, by placeholder."""
        return topology.referenced_ports(self.demo, group, self._addressable)

    @cached_property
    def _addressable(self) -> dict[str, ListeningPort]:
        return topology.addressable_ports(self.demo)

    def _only_sidecar_calls(self, service: str) -> bool:
        """Return whether only the sidecar connects to the app of `service`.

        A server has one address for all its ports, and a probe from outside the container needs that address.
        """
        server = self.demo["services"][service]["server"]
        if topology.proxy_of(self.demo, service) is None or topology.server_ports(self.demo, service):
            return False
        if server is not None and self.probes_from_outside(server):
            return False
        return not self.callers(service, APP)

    def probes_from_outside(self, server: Mapping[str, Any]) -> bool:
        """Return whether the readiness probe of a server connects from outside its network."""
        return readiness_page(server) is not None

    # The exporter

    def exporter_instance(self) -> Instance:
        """Return the instance by whose name other instances reach the exporter: that whose network it shares, or itself."""
        return self.instance(self.demo[EXPORTER]["shares_network_with"] or EXPORTER)

    def shares_exporter_network(self, proxy: Proxy) -> bool:
        """Return whether loopback of `proxy` is loopback of the exporter."""
        return proxy.name == self.exporter_instance().name

    def exporter_network(self) -> str | None:
        """Return the workload whose network the exporter shares, or None if it has its own network."""
        shared = self.demo[EXPORTER]["shares_network_with"]
        if not shared:
            return None
        has_sidecar = shared in self.demo["services"] and topology.proxy_of(self.demo, shared) is not None
        name = self.exporter_instance().name
        return topology.sidecar_workload(name) if has_sidecar else name
