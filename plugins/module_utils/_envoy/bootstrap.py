# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bootstrap.yaml: what is fixed while an Envoy runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    overlay,
    socket_address,
    typed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import (
    Address,
    address_cluster,
    cluster,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import http_connection_manager

# GETs that show and change nothing ("Administration interface", Envoy 1.40).
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
# Not `admin`: Envoy counts the requests to the admin interface itself as http.admin.
ADMIN_STATS = "read_only_admin"
STATSD_CLUSTER = "statsd"
# Bytes: several stats in one datagram, so that a flush does not push out of the receiver's buffer what came before. It fits an Ethernet
# frame. (config.metrics.v3.DogStatsdSink; without it each stat is a datagram.)
DATAGRAM = 1432


@dataclass(frozen=True)
class Sink:
    """Where and how stats are sent: `style` statsd or dog_statsd, over udp (an IP address) or tcp (any host)."""

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
    sink: Sink | None = None,
    stats_config: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    watch_folder: bool = False,
    clusters: Sequence[Message] = (),
) -> Message:
    """Return the Bootstrap of one Envoy whose files are in `folder`.

    `admin` is the admin's own address (config.core.v3.Address), `admin_listener` where the read-only admin listens.
    `watch_folder` makes Envoy look at renames in the folder instead of renames of the files: a mounted ConfigMap changes
    all its files by one rename of a link beside them. `clusters` are those from which Envoy fetches configuration: it refuses
    to do so from one that it was told of while it runs. `options` are fields of Bootstrap, merged over these.
    """
    static = [address_cluster(ADMIN_CLUSTER, admin), *map(_untyped, clusters)]
    message: Message = {
        "node": {"id": node_id, "cluster": node_cluster},
        "admin": {"address": admin},
        "dynamic_resources": {
            "lds_config": _watched(folder, "listeners.yaml", watch_folder),
            "cds_config": _watched(folder, "clusters.yaml", watch_folder),
        },
        "static_resources": {"listeners": [read_only_admin(*admin_listener)], "clusters": static},
    }
    # Both are one field in Envoy's eyes (a oneof): who states one of them wants no other.
    if not {"stats_flush_interval", "stats_flush_on_admin"} & (options or {}).keys():
        # Histograms and sinks lag by up to this much; Envoy's own default is 5 s.
        message["stats_flush_interval"] = "1s"
    if sink:
        message["stats_sinks"] = [_stats_sink(sink)]
        if sink.transport == "tcp":
            static.append(_untyped(cluster(STATSD_CLUSTER, [sink.address])))
    if stats_config:
        message["stats_config"] = dict(stats_config)
    return overlay(message, options)


def candidate(
    bootstrap_message: Mapping[str, Any], listeners: Sequence[Message], clusters: Sequence[Message]
) -> Message:
    """Return the bootstrap with listeners and clusters written in, for `envoy --mode validate`.

    Validation does not read the files that Envoy watches (seen with 1.36 to 1.40).
    """
    static = bootstrap_message.get("static_resources", {})
    return {
        **{key: value for key, value in bootstrap_message.items() if key != "dynamic_resources"},
        "static_resources": {
            **static,
            "listeners": [*static.get("listeners", ()), *map(_untyped, listeners)],
            "clusters": [*static.get("clusters", ()), *map(_untyped, clusters)],
        },
    }


def admin_pipe(folder: str, mode: int) -> Message:
    """Return the address of an admin on a Unix socket, which only those who may open it can reach."""
    return {"pipe": {"path": admin_socket(folder), "mode": mode}}


def admin_socket(folder: str) -> str:
    """Return the path of the admin's Unix socket."""
    return f"{folder}/run/admin.sock"


def read_only_admin(address: str, port: int) -> Message:
    """Return the listener that lets people look at the admin interface and change nothing.

    A path is let through when it is one of ADMIN_READ_ONLY as a whole, after it was normalized; its query may be any.
    """
    get = [{"name": ":method", "string_match": {"exact": "GET"}}]
    routes: list[Message] = [
        {"match": {"path": path, "headers": get}, "route": {"cluster": ADMIN_CLUSTER}}
        for path in ADMIN_READ_ONLY
    ]
    refusal = f"Read only: GET of {', '.join(ADMIN_READ_ONLY)}.\n"
    refused = {"status": 403, "body": {"inline_string": refusal}}
    routes.append({"match": {"prefix": "/"}, "direct_response": refused})
    hosts = [{"name": "admin", "domains": ["*"], "routes": routes}]
    return {
        "name": "admin",
        "address": socket_address(address, port),
        "filter_chains": [{"filters": [http_connection_manager(ADMIN_STATS, hosts, access_log=False)]}],
    }


def _watched(folder: str, name: str, whole: bool) -> Message:
    source: Message = {"path": f"{folder}/{name}"}
    if whole:
        source["watched_directory"] = {"path": folder}
    return {"resource_api_version": "V3", "path_config_source": source}


def _stats_sink(sink: Sink) -> Message:
    name = "envoy.stat_sinks." + sink.style
    kind = {"statsd": "StatsdSink", "dog_statsd": "DogStatsdSink"}[sink.style]
    config = typed(f"envoy.config.metrics.v3.{kind}", prefix=sink.prefix)
    if sink.transport == "tcp":
        config["tcp_cluster_name"] = STATSD_CLUSTER
    else:
        config["address"] = socket_address(*sink.address)
        if sink.style == "dog_statsd":
            config["max_bytes_per_datagram"] = DATAGRAM
    return {"name": name, "typed_config": config}


def _untyped(resource: Message) -> Message:
    """A resource of a watched file names its type; the same one in static_resources must not."""
    return {key: value for key, value in resource.items() if key != "@type"}
