# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of Envoy's messages whose value is the name of a cluster of the same Envoy.

Envoy refuses few of the missing names when it validates: those of inline routes, of tcp_proxy and of the xDS sources. A filter, an access
logger or a tracer with a missing cluster is accepted, and fails at each request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import BOOTSTRAP, LISTENER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    Path,
    TypedMessage,
    typed_messages,
)

_CORE, _FILTERS = "envoy.config.core.v3", "envoy.extensions.filters"
API_CONFIG_SOURCE = f"{_CORE}.ApiConfigSource"
# By the type of the message, the field that names a cluster. A list names several.
CLUSTER_FIELDS = {
    "envoy.config.bootstrap.v3.ClusterManager": "local_cluster_name",
    API_CONFIG_SOURCE: "cluster_names",
    f"{_CORE}.GrpcService.EnvoyGrpc": "cluster_name",
    f"{_CORE}.HttpUri": "cluster",
    "envoy.config.metrics.v3.StatsdSink": "tcp_cluster_name",
    "envoy.config.route.v3.RouteAction": "cluster",
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": "cluster",
    "envoy.config.route.v3.WeightedCluster.ClusterWeight": "name",
    "envoy.config.trace.v3.DatadogConfig": "collector_cluster",
    "envoy.config.trace.v3.LightstepConfig": "collector_cluster",
    "envoy.config.trace.v3.ZipkinConfig": "collector_cluster",
    "envoy.data.dns.v3.DnsTable.DnsEndpoint": "cluster_name",
    "envoy.data.dns.v3.DnsTable.DnsServiceTarget": "cluster_name",
    "envoy.extensions.access_loggers.fluentd.v3.FluentdAccessLogConfig": "cluster",
    "envoy.extensions.clusters.aggregate.v3.ClusterConfig": "clusters",
    "envoy.extensions.clusters.composite.v3.ClusterConfig.ClusterEntry": "name",
    "envoy.extensions.clusters.mcp_multicluster.v3.ClusterConfig.McpCluster": "cluster",
    f"{_FILTERS}.http.gcp_authn.v3.GcpAuthnFilterConfig": "cluster",
    f"{_FILTERS}.http.mcp_router.v3.McpRouter.McpCluster": "cluster",
    f"{_FILTERS}.network.dubbo_proxy.v3.RouteAction": "cluster",
    f"{_FILTERS}.network.generic_proxy.action.v3.RouteAction": "cluster",
    f"{_FILTERS}.network.redis_proxy.v3.RedisProxy.PrefixRoutes.Route": "cluster",
    f"{_FILTERS}.network.redis_proxy.v3.RedisProxy.PrefixRoutes.Route.ReadCommandPolicy": "cluster",
    f"{_FILTERS}.network.redis_proxy.v3.RedisProxy.PrefixRoutes.Route.RequestMirrorPolicy": "cluster",
    f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy": "cluster",
    f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": "name",
    f"{_FILTERS}.network.thrift_proxy.v3.RouteAction": "cluster",
    f"{_FILTERS}.network.thrift_proxy.v3.RouteAction.RequestMirrorPolicy": "cluster",
    f"{_FILTERS}.network.thrift_proxy.v3.WeightedCluster.ClusterWeight": "name",
    f"{_FILTERS}.udp.udp_proxy.v3.Route": "cluster",
    f"{_FILTERS}.udp.udp_proxy.v3.UdpProxyConfig": "cluster",
    "envoy.extensions.router.cluster_specifiers.lua.v3.LuaConfig": "default_cluster",
    "envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction": "cluster",
    "envoy.extensions.router.cluster_specifiers.priority_group.v3.ClusterWeight": "cluster_name",
    "envoy.extensions.tracers.fluentd.v3.FluentdConfig": "cluster",
}
LUA = f"{_FILTERS}.http.lua.v3.Lua"
# A call of a script whose first argument is a text: `handle:httpCall("auth", …)`.
LUA_CALL = re.compile(r""":\s*httpCall\s*\(\s*(["'])([^"'\\\n]+)\1""")
# Filters by which Envoy fetches a cluster that it does not have.
ON_DEMAND = {
    f"{_FILTERS}.http.on_demand.v3.OnDemand": "odcds",
    f"{_FILTERS}.http.on_demand.v3.PerRouteConfig": "odcds",
    f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy.OnDemand": "odcds_config",
}


@dataclass(frozen=True)
class ClusterReference:
    """The name of a cluster in a message.

    Attributes:
        path: The steps from the outermost message to the name.
        name: The name.
        is_static: Whether Envoy accepts only a cluster of its bootstrap here.
        is_route: Whether the route configuration around the name decides if the cluster can be missing.
        type: The full name of the type of the message.
    """

    path: Path
    name: str
    is_static: bool
    is_route: bool
    type: str


def cluster_references(value: Any, message_type: str) -> Iterator[ClusterReference]:
    """Yield the names of clusters in a message, or in a list of messages.

    Args:
        value: The message or the list as data.
        message_type: The full name of its type.

    Example:
        >>> [found] = cluster_references({"route": {"cluster": "web"}}, "envoy.config.route.v3.Route")
        >>> found.path, found.name
        (('route', 'cluster'), 'web')
    """
    for message in typed_messages(value, message_type):
        if field := CLUSTER_FIELDS.get(message.type):
            path, given = message.get(field)
            for where, name in _names(path, given):
                yield ClusterReference(where, name, _is_static(message), _is_route(message), message.type)
        elif message.type == LUA:
            yield from _script_references(message)


def fetches_on_demand(value: Any, message_type: str) -> bool:
    """Return whether a filter in a message fetches missing clusters."""
    return any(
        message.type in ON_DEMAND and message.get(ON_DEMAND[message.type])[1] is not None
        for message in typed_messages(value, message_type)
    )


def aggregated_sources(value: Any, message_type: str) -> Iterator[Path]:
    """Yield the path of each source of configuration that is the ADS server of the bootstrap.

    Example:
        >>> rds = {"rds": {"config_source": {"ads": {}}}}
        >>> list(aggregated_sources(rds, "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"))
        [('rds', 'config_source', 'ads')]
    """
    for message in typed_messages(value, message_type):
        if message.type == f"{_CORE}.ConfigSource":
            path, ads = message.get("ads")
            if ads is not None:
                yield path


def tolerates_missing_clusters(message: Mapping[str, Any]) -> bool:
    """Return whether the fields of a RouteConfiguration accept routes to missing clusters."""
    fields = {str(key).replace("validateClusters", "validate_clusters"): one for key, one in message.items()}
    return fields.get("validate_clusters") is False


def _names(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str) and value:
        yield path, value
    elif isinstance(value, (list, tuple)):
        for position, one in enumerate(value):
            yield from _names((*path, position), one)


def _is_static(message: TypedMessage) -> bool:
    """Return whether Envoy needs the cluster before it reads clusters.yaml: for an xDS source, and for what the bootstrap starts."""
    is_source = message.type == API_CONFIG_SOURCE or message.is_in(API_CONFIG_SOURCE)
    is_of_bootstrap = message.is_in(BOOTSTRAP) and not message.is_in(LISTENER)
    return is_source or is_of_bootstrap


def _is_route(message: TypedMessage) -> bool:
    routes = ("envoy.config.route.v3.RouteAction", "envoy.config.route.v3.WeightedCluster.ClusterWeight")
    return message.type in routes


def _script_references(message: TypedMessage) -> Iterator[ClusterReference]:
    """Yield the clusters that a script calls by a fixed name."""
    for inner in typed_messages(message.value, message.type):
        for field in ("inline_code", "inline_string"):
            path, text = inner.get(field)
            for found in LUA_CALL.finditer(text) if isinstance(text, str) else ():
                yield ClusterReference((*message.path, *path), found[2], False, False, message.type)
