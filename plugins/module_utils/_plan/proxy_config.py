# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of one Envoy: its bootstrap, its listeners and its clusters, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.cluster_checks import has_target
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.host_address import is_unix_socket
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.unix_sockets import (
    is_on_unix_socket,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    ADMIN,
    APP,
    EXPORTER,
    EXPORTER_STATSD,
    cluster_targets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    UNIX,
    Message,
    socket_address,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import StatsSink, bootstrap
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import (
    NO_PORT,
    Address,
    Locality,
    cluster,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import listener
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.tls_files import (
    located_listener,
    located_tls,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform


def secrets_directory(proxy: Proxy) -> str:
    """Return the directory of the proxy's SDS files."""
    return f"{proxy.name}/secrets"


def proxy_listeners(proxy: Proxy, platform: Platform, inline: bool = False) -> list[Message]:
    """Return the listeners of the demo (config.listener.v3.Listener). `inline`: with the paths of TLS files, for validation."""
    return [
        listener(
            name,
            _announced(located_listener(name, spec, proxy, platform, inline), proxy, platform),
            _bind_address(name, spec, proxy, platform),
            secrets_directory(proxy),
            proxy.spec["access_log"],
        )
        for name, spec in proxy.spec["listeners"].items()
    ]


def _announced(spec: dict[str, Any], proxy: Proxy, platform: Platform) -> dict[str, Any]:
    """Return a listener with the port of the HTTP/3 listener that its responses announce: the one that users open."""
    if not (name := spec.get("alt_svc")):
        return spec
    group, replica = proxy.group, proxy.replica
    number = platform.published_port(group, name, replica) or platform.port(group, name, replica)
    return {**spec, "alt_svc_port": number}


def _bind_address(name: str, spec: Mapping[str, Any], proxy: Proxy, platform: Platform) -> Message:
    """Return the config.core.v3.Address that a listener binds to. The author's fields can replace it."""
    if spec["unix_socket"]:
        path = platform.socket_path(proxy, spec["unix_socket"])
        return {"pipe": {"path": path, "mode": platform.socket_mode}}
    if is_on_unix_socket(spec):
        return {}
    return socket_address(
        platform.bind_address(proxy.group, name, proxy.replica),
        platform.port(proxy.group, name, proxy.replica),
    )


def proxy_clusters(proxy: Proxy, platform: Platform, static: bool, inline: bool = False) -> list[Message]:
    """Return the clusters of the bootstrap (`static`), or all other clusters (config.cluster.v3.Cluster).

    A sidecar has a cluster for its own app, which the demo can replace by one with the same name. `inline` as in `proxy_listeners`.
    """
    specs = proxy.spec["clusters"]
    found = []
    if proxy.kind == "sidecar" and proxy.group not in specs and not static:
        found.append(cluster(proxy.group, _own_app(proxy, platform)))
    for name, spec in specs.items():
        if spec["static"] != static:
            continue
        localities = _localities(spec, f"{proxy.key}.clusters.{name}", proxy, platform)
        addresses = [address for _fields, members in localities for address in members]
        found.append(
            cluster(
                name,
                addresses if has_target(spec) else None,
                spec["cluster"],
                located_tls(spec["tls"], ("clusters", name), proxy, platform, inline),
                secrets_directory(proxy),
                server_name(spec),
                refresh=platform.dns_refresh,
                localities=localities,
                standby=platform.standby_address(spec, proxy, f"{proxy.key}.clusters.{name}"),
                protocol=spec["protocol"] or "",
            )
        )
    return found


def server_name(spec: Mapping[str, Any]) -> str:
    """Return the name that the server of a cluster has by default: that of its target. Empty: it has none."""
    name = [*cluster_targets(spec), spec["address"] or ""][0]
    return "" if is_unix_socket(name) else str(name).partition("/")[0]


def proxy_bootstrap(proxy: Proxy, platform: Platform, inline: bool = False) -> Message:
    """Return the bootstrap (config.bootstrap.v3.Bootstrap). `inline` as in `proxy_listeners`.

    Raises:
        DemoError: The stats of the proxy cannot reach the exporter.
    """
    group, replica = proxy.group, proxy.replica
    return bootstrap(
        node_id=proxy.name,
        node_cluster=group,
        folder=proxy.name,
        admin=platform.admin_address(proxy),
        admin_listener=(
            platform.bind_address(group, ADMIN, replica),
            platform.port(group, ADMIN, replica),
        ),
        sink=_sink(proxy, platform),
        stats_config=proxy.spec["stats_config"],
        overrides=proxy.spec["bootstrap"],
        watch_folder=platform.watches_directory,
        clusters=proxy_clusters(proxy, platform, static=True, inline=inline),
    )


def _localities(spec: Mapping[str, Any], where: str, proxy: Proxy, platform: Platform) -> list[Locality]:
    """Return the upstream hosts of a cluster, by locality. A cluster without localities has one without fields."""
    if spec["address"]:
        port = spec["port"] or NO_PORT
        return [({}, [(platform.outside_address(spec["address"], port, proxy, where), port)])]
    if spec["to"]:
        return [({}, _target(spec["to"], where, proxy, platform))]
    return [
        (
            {key: value for key, value in one.items() if key != "to"},
            _target(one["to"], f"{where}.localities[{position}]", proxy, platform),
        )
        for position, one in enumerate(spec["localities"] or [])
    ]


def _target(target: str, where: str, proxy: Proxy, platform: Platform) -> list[Address]:
    """Return the addresses of `target`. A sidecar that names its own service means its own app."""
    if platform.is_own_app(target, proxy):
        return _own_app(proxy, platform)
    return platform.target_addresses(target, proxy, where)


def _own_app(proxy: Proxy, platform: Platform) -> list[Address]:
    group, replica = proxy.group, proxy.replica
    if name := topology.unix_socket_of(platform.demo, group, APP):
        return [(f"{UNIX}{platform.socket_path(proxy, name)}", NO_PORT)]
    return [(platform.own_address(group, APP, replica), platform.port(group, APP, replica))]


def _sink(proxy: Proxy, platform: Platform) -> StatsSink | None:
    """Return the destination of the proxy's stats: the one that the demo states, or else the exporter of the demo."""
    stated = proxy.spec["statsd"]
    if stated is not None:
        address = (stated["address"], stated["port"])
        return StatsSink(stated["style"], stated["transport"], address, stated["prefix"])
    return _exporter_sink(proxy, platform)


def _exporter_sink(proxy: Proxy, platform: Platform) -> StatsSink | None:
    """Return a UDP sink in a shared network, else a TCP sink with a cluster: Envoy's UDP sink needs an IP address."""
    exporter = platform.demo[EXPORTER]
    if exporter is None:
        return None
    style, prefix = exporter["style"], exporter["prefix"]
    if platform.shares_exporter_network(proxy):
        address = platform.own_address(EXPORTER, EXPORTER_STATSD)
        return StatsSink(style, "udp", (address, platform.port(EXPORTER, EXPORTER_STATSD)), prefix)
    if style == "dog_statsd":
        raise DemoError(
            platform.demo["file"],
            f"statsd_exporter.style: dog_statsd needs UDP, but {proxy.name} does not share the exporter's network."
            f" Use 'style: statsd', or 'shares_network_with: {proxy.group}' if that is the only proxy.",
        )
    exporter_address = platform.address(platform.instance(EXPORTER), EXPORTER_STATSD, proxy)
    return StatsSink(style, "tcp", exporter_address, prefix)
