# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology of a demo: its groups, and every port that one of them listens on.

A group is a service, a proxy or the statsd_exporter of a demo file. No function here depends on a platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.unix_sockets import (
    is_on_unix_socket,
    own_pipe,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_texts import proxy_placeholders
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import address_name
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import (
    STATS_PAGES,
    server_placeholders,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme

ADMIN = "admin"  # name of the port of a proxy's read-only admin listener
APP = "app"  # name of a service's own port
EXPORTER = "statsd_exporter"  # name of the exporter's group and of its instance
EXPORTER_HTTP, EXPORTER_STATSD = "http", "statsd"  # names of the exporter's ports
# Ports that no demo states. The read-only admin uses the port after Envoy's usual 9901; the exporter's ports are the
# defaults of statsd_exporter.
ADMIN_PORT = 9902
EXPORTER_HTTP_PORT, EXPORTER_STATSD_PORT = 9102, 9125


@dataclass(frozen=True)
class ListeningPort:
    """One port that `group` listens on: `number` in its own network, `publish` on the host if the demo publishes it."""

    group: str
    name: str
    number: int
    publish: int | None
    # Users open the port even if the demo does not publish it.
    for_users: bool = False
    # Expectations query a stats page of the port, at each replica.
    serves_stats: bool = False
    # The address that an author's configuration binds, so that the planner chooses neither address nor number. Empty: it does.
    bound_to: str = ""


def replicas(demo: Demo, group: str) -> int:
    """Return the number of replicas of `group`: that of a service, 1 for a proxy and for the exporter."""
    return int(demo["services"][group]["replicas"]) if group in demo["services"] else 1


def groups(demo: Demo) -> Iterator[tuple[str, str]]:
    """Yield (group, its key in the demo file) in the order of the file."""
    yield from ((name, f"services.{name}") for name in demo["services"])
    yield from ((name, f"proxies.{name}") for name in demo["proxies"])
    if demo[EXPORTER] is not None:
        yield EXPORTER, EXPORTER


def sidecar_workload(instance: str) -> str:
    """Return the name of the workload that runs the sidecar of `instance`. Both workloads share one network."""
    return f"{instance}-envoy"


def network_workload(demo: Demo, group: str, instance: str) -> str:
    """Return the name of the workload that owns the network of an instance of `group`."""
    has_sidecar = group in demo["services"] and proxy_of(demo, group) is not None
    return sidecar_workload(instance) if has_sidecar else instance


def proxy_of(demo: Demo, group: str) -> Mapping[str, Any] | None:
    """Return the proxy of `group`: the sidecar of a service or the edge proxy itself. None if there is neither."""
    service = demo["services"].get(group)
    found: Mapping[str, Any] | None = service["sidecar"] if service else demo["proxies"].get(group)
    return found


def has_admin(proxy: Mapping[str, Any]) -> bool:
    """Return whether a proxy has an admin interface, which a configuration of an author can lack."""
    config = proxy.get("config")
    return config is None or config.admin is not None


def listeners(demo: Demo, group: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the listeners of `group` by name. A service without a sidecar has none."""
    found: Mapping[str, Mapping[str, Any]] = (proxy_of(demo, group) or {}).get("listeners", {})
    return found


def server_ports(demo: Demo, group: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the further ports of a service's own server by name. The port of the service itself is not one of them."""
    service = demo["services"].get(group)
    found: Mapping[str, Mapping[str, Any]] = ((service and service["server"]) or {}).get("ports", {})
    return found


def stats_pages(demo: Demo, group: str) -> dict[str, tuple[str, str]]:
    """Return (format, path) of each page of a service's own server that expectations can query, by name of the port."""
    service = demo["services"].get(group)
    if service is None or service["server"] is None:
        return {}
    return {
        port: (form, spec[key])
        for port, spec in {APP: service["server"], **server_ports(demo, group)}.items()
        for key, form in STATS_PAGES.items()
        if spec[key] is not None
    }


def has_metrics(demo: Demo, group: str, port: str) -> bool:
    """Return whether a port of a service's own server serves Prometheus metrics."""
    return stats_pages(demo, group).get(port, ("",))[0] == STATS_PAGES["metrics"]


def listening_ports(demo: Demo) -> Iterator[ListeningPort]:
    """Yield every port that a group listens on, in the order of the file."""
    for group, _key in groups(demo):
        yield from ports_of(demo, group)


def ports_of(demo: Demo, group: str) -> Iterator[ListeningPort]:
    """Yield the ports that `group` listens on."""
    service = demo["services"].get(group)
    if service is not None:
        pages = stats_pages(demo, group)
        yield ListeningPort(group, APP, service["port"], service["publish"], serves_stats=APP in pages)
        for key, port in server_ports(demo, group).items():
            yield ListeningPort(group, key, port["port"], port["publish"], serves_stats=key in pages)
    proxy = proxy_of(demo, group)
    if proxy is not None:
        yield from _proxy_ports(group, proxy)
    exporter = demo[EXPORTER] if group == EXPORTER else None
    if exporter is not None:
        yield ListeningPort(EXPORTER, EXPORTER_HTTP, EXPORTER_HTTP_PORT, exporter["publish"], for_users=True)
        yield ListeningPort(EXPORTER, EXPORTER_STATSD, EXPORTER_STATSD_PORT, exporter["statsd_port"])


def addressable_ports(demo: Demo) -> dict[str, ListeningPort]:
    """Return the ports that texts of the demo can refer to, by placeholder: `web/app`, `edge/http`, `statsd_exporter`."""
    return {
        EXPORTER if one.group == EXPORTER else f"{one.group}/{one.name}": one
        for one in listening_ports(demo)
        if (one.group, one.name) != (EXPORTER, EXPORTER_STATSD)
    }


def referenced_ports(
    demo: Demo, group: str, addressable: Mapping[str, ListeningPort]
) -> dict[str, ListeningPort]:
    """Return the ports that the texts of a service's own server and of a proxy refer to, by placeholder.

    `addressable` is the result of `addressable_ports`, which a caller computes once for all groups.
    """
    service = demo["services"].get(group)
    placeholders = server_placeholders(service["server"] if service else None)
    placeholders |= proxy_placeholders(proxy_of(demo, group))
    names = {address_name(name) for name in placeholders}.intersection(addressable)
    return {name: port for name, port in addressable.items() if name in names} if names else {}


def unix_socket_of(demo: Demo, group: str, port: str) -> str:
    """Return the Unix socket that a listener or an application of `group` listens on. Empty: it listens on a port.

    It is the name of a socket in the directory of the instance, or a path of the author, which contains `/`.
    """
    listener = listeners(demo, group).get(port)
    if listener is not None:
        return str(listener["unix_socket"] or own_pipe(listener))
    service = demo["services"].get(group)
    return str((service and port == APP and service["unix_socket"]) or "")


def check_has_port(demo: Demo, group: str, port: str, where: str) -> None:
    """Raise DemoError for a target on a Unix socket, which no other instance reaches."""
    if unix_socket_of(demo, group, port):
        raise DemoError(
            demo["file"],
            f"{where}: '{group}/{port}' listens on a Unix socket, which no other instance reaches. Use a target with a port.",
        )


def scheme_of(demo: Demo, group: str, port: str) -> str:
    """Return what a port of `group` speaks: http, https, tcp, tls or udp."""
    listener = listeners(demo, group).get(port)
    if listener is not None:
        return scheme(listener)
    spec = server_ports(demo, group).get(port)
    if spec is None and port == APP:
        spec = demo["services"].get(group)
    return "http" if spec is None else str(spec["protocol"])


def resolve_target(demo: Demo, name: str, where: str) -> tuple[str, str]:
    """Return (group, port name) for a target of a demo file.

    Args:
        demo: The demo.
        name: `service`, `service/app`, `service/port`, `proxy` or `proxy/listener`. Without a port, the first listener is
            the target, or the app of a service without a sidecar.
        where: The key that holds `name`.

    Raises:
        DemoError: The demo has no such group or port.
    """
    group, _slash, port = name.partition("/")
    if group not in demo["services"] and group not in demo["proxies"]:
        check_known(group, [*demo["services"], *demo["proxies"]], demo["file"], where, "service or proxy")
    own = [APP, *server_ports(demo, group)] if group in demo["services"] else []
    known = [*listeners(demo, group), *own]
    if not known:
        raise DemoError(demo["file"], f"{where}: proxy '{group}' has no listener. Add one under 'listeners'.")
    if port:
        check_known(port, known, demo["file"], where, f"listener of '{group}'")
    return group, port or known[0]


def cluster_targets(cluster: Mapping[str, Any]) -> list[str]:
    """Return the targets of a cluster within the demo, as `resolve_target` takes them."""
    if cluster["to"]:
        return [cluster["to"]]
    return [locality["to"] for locality in cluster["localities"] or []]


def _proxy_ports(group: str, proxy: Mapping[str, Any]) -> Iterator[ListeningPort]:
    for name, listener in proxy["listeners"].items():
        if is_on_unix_socket(listener):
            continue
        bound_to = listener.get("bound_to", "")
        yield ListeningPort(group, name, listener["port"], listener["publish"], bound_to=bound_to)
    config = proxy["config"]
    if config is not None:
        if config.admin and not config.admin.pipe:
            published = (proxy["admin"] or {}).get("publish")
            yield ListeningPort(group, ADMIN, config.admin.port, published, bound_to=config.admin.address)
        return
    # The admin is for users wherever the proxy itself is.
    for_users = any(listener["publish"] for listener in proxy["listeners"].values())
    yield ListeningPort(group, ADMIN, ADMIN_PORT, (proxy["admin"] or {}).get("publish"), for_users)
