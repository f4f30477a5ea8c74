# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Bootstrap message, which is bootstrap.yaml: everything that stays the same while an Envoy runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
    path_config_source,
    socket_address,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import (
    Address,
    address_cluster,
    cluster,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import http_connection_manager
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import BOOTSTRAP, overlay

# Pages of the admin interface whose GET changes nothing (Envoy's "Administration interface", 1.40).
ADMIN_READ_ONLY = (
    "/stats",
    "/stats/prometheus",
    "/ready",
    "/server_info",
    "/clusters",
    "/listeners",
    "/certs",
)
ADMIN_CLUSTER = "admin"
# Not `admin`: Envoy counts the requests of its admin interface as http.admin.
ADMIN_STAT_PREFIX = "read_only_admin"
STATSD_CLUSTER = "statsd"
# Several stats share one datagram of this many bytes, so that one flush does not overflow the receiver's buffer. The datagram fits
# into an Ethernet frame. Without it each stat is a datagram (config.metrics.v3.DogStatsdSink).
MAX_BYTES_PER_DATAGRAM = 1432
# Intervals between two flushes, at which Envoy updates histograms and sends stats to sinks. Envoy's default is 5 s. The page
# docs/architecture.md has the cost of a flush. A flush with sinks also sends every stat.
FLUSH_INTERVAL = "0.1s"
FLUSH_INTERVAL_WITH_SINKS = "1s"


@dataclass(frozen=True)
class StatsSink:
    """A destination for stats.

    Attributes:
        style: `statsd` or `dog_statsd`.
        transport: `udp`, which takes an IP address only, or `tcp`.
        address: Host and port of the receiver.
        prefix: The prefix of all stats.
    """

    style: str
    transport: str
    address: Address
    prefix: str


def bootstrap(
    node_id: str,
    node_cluster: str,
    folder: str,
    admin: Message,
    admin_listener: Address,
    sink: StatsSink | None = None,
    stats_config: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    watch_folder: bool = False,
    clusters: Sequence[Message] = (),
) -> Message:
    """Return the config.bootstrap.v3.Bootstrap of one Envoy.

    Args:
        node_id: The id of the node.
        node_cluster: The cluster of the node.
        folder: The folder of listeners.yaml and clusters.yaml, as Envoy sees it.
        admin: The config.core.v3.Address of the admin interface.
        admin_listener: Address and port of the listener with the read-only admin interface.
        sink: The destination for stats. None sends none.
        stats_config: Fields of StatsConfig.
        overrides: Fields of Bootstrap that override the generated ones.
        watch_folder: Whether Envoy watches the folder instead of each file (`path_config_source`).
        clusters: Clusters from which Envoy fetches configuration. Envoy requires them in `static_resources`.
    """
    watched = folder if watch_folder else None
    static_clusters = [address_cluster(ADMIN_CLUSTER, admin), *map(_without_type, clusters)]
    message: Message = {
        "node": {"id": node_id, "cluster": node_cluster},
        "admin": {"address": admin},
        "dynamic_resources": {
            "lds_config": path_config_source(f"{folder}/listeners.yaml", watched),
            "cds_config": path_config_source(f"{folder}/clusters.yaml", watched),
        },
        "static_resources": {"listeners": [read_only_admin(*admin_listener)], "clusters": static_clusters},
    }
    if sink:
        message["stats_sinks"] = [_stats_sink(sink)]
        if sink.transport == "tcp":
            static_clusters.append(_without_type(cluster(STATSD_CLUSTER, [sink.address])))
    if stats_config:
        message["stats_config"] = dict(stats_config)
    has_sinks = sink is not None or bool(overlay({}, overrides, BOOTSTRAP).get("stats_sinks"))
    message["stats_flush_interval"] = FLUSH_INTERVAL_WITH_SINKS if has_sinks else FLUSH_INTERVAL
    return overlay(message, overrides, BOOTSTRAP)


def candidate(
    bootstrap_message: Mapping[str, Any], listeners: Sequence[Message], clusters: Sequence[Message]
) -> Message:
    """Return the bootstrap with listeners and clusters in `static_resources`, for `envoy --mode validate`.

    Envoy 1.36 to 1.40 do not read watched files when they validate, so the listeners have their routes in `route_config`.
    """
    static = bootstrap_message.get("static_resources", {})
    return {
        **{key: value for key, value in bootstrap_message.items() if key != "dynamic_resources"},
        "static_resources": {
            **static,
            "listeners": [*static.get("listeners", ()), *map(_without_type, listeners)],
            "clusters": [*static.get("clusters", ()), *map(_without_type, clusters)],
        },
    }


def admin_pipe(folder: str, mode: int) -> Message:
    """Return the address of an admin interface on a Unix socket with the permissions `mode`."""
    return {"pipe": {"path": admin_socket(folder), "mode": mode}}


def admin_socket(folder: str) -> str:
    """Return the path of the admin interface's Unix socket below a proxy's folder."""
    return f"{folder}/run/admin.sock"


def read_only_admin(address: str, port: int) -> Message:
    """Return the listener that gives read-only access to the admin interface.

    It forwards a GET whose normalized path, without the query, is one of ADMIN_READ_ONLY. It answers any other request with 403.
    """
    get = [{"name": ":method", "string_match": {"exact": "GET"}}]
    routes: list[Message] = [
        {"match": {"path": path, "headers": get}, "route": {"cluster": ADMIN_CLUSTER}}
        for path in ADMIN_READ_ONLY
    ]
    body = f"Read only: GET of {', '.join(ADMIN_READ_ONLY)}.\n"
    forbidden = {"status": 403, "body": {"inline_string": body}}
    routes.append({"match": {"prefix": "/"}, "direct_response": forbidden})
    virtual_hosts = [{"name": "admin", "domains": ["*"], "routes": routes}]
    return {
        "name": "admin",
        "address": socket_address(address, port),
        "filter_chains": [
            {"filters": [http_connection_manager(ADMIN_STAT_PREFIX, virtual_hosts, access_log=False)]}
        ],
    }


def _stats_sink(sink: StatsSink) -> Message:
    message_type = {"statsd": "StatsdSink", "dog_statsd": "DogStatsdSink"}[sink.style]
    config = any_message(f"envoy.config.metrics.v3.{message_type}", prefix=sink.prefix)
    if sink.transport == "tcp":
        config["tcp_cluster_name"] = STATSD_CLUSTER
    else:
        config["address"] = socket_address(*sink.address)
        if sink.style == "dog_statsd":
            config["max_bytes_per_datagram"] = MAX_BYTES_PER_DATAGRAM
    return {"name": f"envoy.stat_sinks.{sink.style}", "typed_config": config}


def _without_type(resource: Message) -> Message:
    """Return a resource of a watched file, which has an `@type`, as it must be in static_resources."""
    return {key: value for key, value in resource.items() if key != "@type"}
