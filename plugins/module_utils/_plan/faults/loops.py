# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters that lead a request back to its own listener, directly or through other proxies, without an end.

Envoy accepts them. Each request is then sent again until a limit of connections or of memory ends it. The search follows one request for
each route that has no conditions but its path. What it cannot evaluate, such as a regular expression, ends it without a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.names import cluster_key
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.any_types import type_name
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    HTTP_CONNECTION_MANAGER,
    LISTENER,
    snake_case_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    messages,
    snake_case_message,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.faults.upstream_ports import (
    DemoPort,
    cluster_names,
    cluster_spec,
    first_proxies,
    upstream_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

_FILTERS = "envoy.extensions.filters"
TCP_PROXY = f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy"
# HTTP filters that do not change the route of a request. Some of them answer a part of the requests; the loop is that of the other ones.
PASSING = tuple(
    f"{_FILTERS}.http.{name}.v3."
    for name in (
        "adaptive_concurrency",
        "admission_control",
        "bandwidth_limit",
        "basic_auth",
        "buffer",
        "cache",
        "compressor",
        "cors",
        "csrf",
        "decompressor",
        "fault",
        "grpc_stats",
        "grpc_web",
        "jwt_authn",
        "local_ratelimit",
        "ratelimit",
        "rbac",
        "router",
    )
)
# The fields of a RouteMatch that the search evaluates.
MATCHED = ("prefix", "path", "path_separated_prefix")
# Fields of a route that change the path or the host in a way that the search does not evaluate.
REWRITES = (
    "regex_rewrite",
    "path_rewrite",
    "path_rewrite_policy",
    "host_rewrite_header",
    "auto_host_rewrite",
    "host_rewrite_path_regex",
)
MOST_HOPS = 50


@dataclass(frozen=True)
class Hop:
    """A request that arrives at a listener. `key` is the cluster's key in the demo that sent it there, and is not compared."""

    port: DemoPort
    host: str
    path: str
    encrypted: bool
    key: str = field(default="", compare=False)


def check_loops(platform: Platform) -> None:
    """Raise DemoError for the first route whose requests come back to its listener without an end."""
    proxies = {one.group: one for one in first_proxies(platform)}
    if not _has_cycle(_connections(proxies, platform)):
        return  # the usual case, without a search per route
    known: set[Hop] = set()
    for proxy in proxies.values():
        for name, listener in proxy.spec["listeners"].items():
            for start in _starts((proxy.group, name), listener):
                _follow(start, proxies, platform, known)


def _connections(proxies: Mapping[str, Proxy], platform: Platform) -> dict[str, set[str]]:
    """Return the proxies that each proxy has a cluster for, by group."""
    return {
        group: {
            target
            for name in cluster_names(proxy)
            for target, port in upstream_ports(proxy, name, platform)
            if target in proxies and port in proxies[target].spec["listeners"]
        }
        for group, proxy in proxies.items()
    }


def _has_cycle(connections: Mapping[str, set[str]]) -> bool:
    left = {group: set(targets) for group, targets in connections.items()}
    while ended := [group for group, targets in left.items() if not targets & left.keys()]:
        for group in ended:
            del left[group]
    return bool(left)


def _follow(start: Hop, proxies: Mapping[str, Proxy], platform: Platform, known: set[Hop]) -> None:
    """Follow a request. `known` has the hops that end."""
    stack: list[tuple[Hop, tuple[Hop, ...]]] = [(start, ())]
    while stack:
        hop, before = stack.pop()
        if hop in before or len(before) > MOST_HOPS:
            loop = [*before[before.index(hop) if hop in before else 0 :], hop]
            raise DemoError(platform.demo["file"], _problem(loop))
        if hop not in known:
            stack += [(one, (*before, hop)) for one in _next_hops(hop, proxies, platform)]
    known.add(start)


def _problem(loop: list[Hop]) -> str:
    names = list(dict.fromkeys("/".join(hop.port) for hop in loop))
    way = "directly" if len(names) == 1 else f"through {', '.join(names[1:])}"
    return (
        f"{loop[1].key}: leads each request for '{loop[0].path or '/'}' back to {names[0]}, {way}, without an end."
        " Use another target, or another path ('prefix_rewrite') that a different route matches."
    )


def _starts(port: DemoPort, listener: Mapping[str, Any]) -> Iterator[Hop]:
    """Yield one request for each route of a listener with one filter chain."""
    encrypted = listener["tls"] is not None
    for host in _virtual_hosts(listener):
        name = next((str(one) for one in host.get("domains") or () if "*" not in str(one)), "example.invalid")
        for route in messages(host.get("routes")):
            match = snake_case_message(route.get("match"))
            path = next((match[kind] for kind in MATCHED if isinstance(match.get(kind), str)), None)
            if path is not None:
                yield Hop(port, name, path, encrypted)
    if _is_tcp(listener):
        yield Hop(port, "", "", encrypted)


def _next_hops(hop: Hop, proxies: Mapping[str, Proxy], platform: Platform) -> list[Hop]:
    """Return where a listener sends a request."""
    group, name = hop.port
    proxy = proxies.get(group)
    listener = proxy.spec["listeners"].get(name) if proxy else None
    if proxy is None or listener is None or listener["filter_chains"] or listener["udp_filters"] is not None:
        return []
    if snake_case_fields(listener["listener"], LISTENER).keys() & {"filter_chains", "listener_filters"}:
        return []
    if _is_tcp(listener):
        clusters, after = [_tcp_cluster(listener)], hop
        if listener["tls"] is not None:
            return []
    else:
        if (listener["tls"] is not None) != hop.encrypted or not hop.path:
            return []
        clusters, after = _http_clusters(listener, hop)
    hops = []
    for cluster in filter(None, clusters):
        spec = cluster_spec(proxy, cluster)
        encrypts = spec is not None and spec["tls"] is not None
        if _is_tcp(listener) and encrypts:
            continue
        encrypted = hop.encrypted if _is_tcp(listener) else encrypts
        key = f"{proxy.key}.clusters.{cluster_key(proxy.spec['clusters'], cluster)}"
        hops += [
            replace(after, port=port, encrypted=encrypted, key=key)
            for port in upstream_ports(proxy, cluster, platform)
        ]
    return hops


def _is_tcp(listener: Mapping[str, Any]) -> bool:
    return listener["filters"] is not None


def _tcp_cluster(listener: Mapping[str, Any]) -> str:
    """Return the cluster of a listener whose only filter is tcp_proxy. Empty: it is not known."""
    filters = messages(listener["filters"])
    kind, config = _typed_config(filters[0]) if len(filters) == 1 else ("", {})
    cluster = config.get("cluster") if kind == TCP_PROXY else None
    return cluster if isinstance(cluster, str) else ""


def _typed_config(one: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the type of the configuration of a filter, and the configuration. Empty: the filter has none."""
    config = snake_case_message(one).get("typed_config")
    return (type_name(config.get("@type", "")), config) if isinstance(config, Mapping) else ("", {})


def _http_clusters(listener: Mapping[str, Any], hop: Hop) -> tuple[list[str], Hop]:
    """Return the clusters that a request is sent and mirrored to, and the request after the route. Empty: they are not known."""
    if not all(_typed_config(one)[0].startswith(PASSING) for one in messages(listener["http_filters"])):
        return [], hop
    manager = snake_case_fields(listener["http_connection_manager"], HTTP_CONNECTION_MANAGER)
    if manager.keys() & {
        "route_config",
        "rds",
        "scoped_routes",
        "http_filters",
        "path_normalization_options",
    }:
        return [], hop
    host = _virtual_host_of(_virtual_hosts(listener), hop.host)
    for route in messages((host or {}).get("routes")):
        match = snake_case_message(route.get("match"))
        kinds = {kind for kind, value in match.items() if value is not None}
        if len(kinds) != 1 or not kinds <= {*MATCHED}:
            return [], hop
        [kind] = kinds
        if _matches(kind, str(match[kind]), hop.path):
            return _routed(route, str(match[kind]), hop)
    return [], hop


def _matches(kind: str, value: str, path: str) -> bool:
    if kind == "prefix":
        return path.startswith(value)
    return path == value or (kind == "path_separated_prefix" and path.startswith(f"{value}/"))


def _routed(route: Mapping[str, Any], matched: str, hop: Hop) -> tuple[list[str], Hop]:
    """Return the clusters of a route, and the request with its rewritten path and host."""
    action = route.get("route")
    fields = snake_case_message(action)
    cluster = fields.get("cluster") or _only_cluster(fields.get("weighted_clusters"))
    if not isinstance(cluster, str) or any(fields.get(one) for one in REWRITES):
        return [], hop
    if isinstance(rewrite := fields.get("prefix_rewrite"), str) and rewrite:
        hop = replace(hop, path=rewrite + hop.path[len(matched) :])
    if isinstance(host := fields.get("host_rewrite_literal"), str) and host:
        hop = replace(hop, host=host)
    mirrors = [
        one.get("cluster")
        for one in messages(fields.get("request_mirror_policies"))
        if not one.keys() & {"runtime_fraction", "runtimeFraction"}
    ]
    return [cluster, *(one for one in mirrors if isinstance(one, str))], hop


def _only_cluster(weighted: Any) -> Any:
    """Return the one cluster of weighted clusters with a weight. None: there are several."""
    clusters = messages(weighted.get("clusters")) if isinstance(weighted, Mapping) else []
    names = [one.get("name") for one in clusters if one.get("weight")]
    return names[0] if len(names) == 1 else None


def _virtual_hosts(listener: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if listener["routes"] is not None:
        return [{"domains": ["*"], "routes": listener["routes"]}]
    return messages(listener["virtual_hosts"])


def _virtual_host_of(hosts: list[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """Return the virtual host of a host name: an exact domain, else `*`. Other patterns are not evaluated."""
    domains = [(str(domain), host) for host in hosts for domain in host.get("domains") or ()]
    if any("*" in domain and domain != "*" for domain, _host in domains):
        return None
    exact = next((host for domain, host in domains if domain.lower() == name.lower()), None)
    return exact or next((host for domain, host in domains if domain == "*"), None)
