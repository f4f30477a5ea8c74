# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protocols that do not fit: HTTP routes to a program that speaks TCP or UDP, datagrams to a program that speaks TCP, and the reverse.

Envoy accepts all of them, and answers each request with 502 or 503, or with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.envoy_messages import (
    author_messages,
    key_below,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import HTTP3
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import uses_udp
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import CLUSTER, snake_case_fields
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.cluster_references import (
    cluster_references,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    TypedMessage,
    messages,
    snake_case_message,
    typed_messages,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.faults.upstream_ports import (
    DemoPort,
    cluster_spec,
    first_proxies,
    requires_http2,
    upstream_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

ROUTE_ACTION = "envoy.config.route.v3.RouteAction"
_FILTERS = "envoy.extensions.filters"
# What a message sends to its cluster, by the type of the message.
HTTP, TCP, UDP = "HTTP requests", "a TCP connection", "datagrams"
SENT = {
    ROUTE_ACTION: HTTP,
    "envoy.config.route.v3.WeightedCluster.ClusterWeight": HTTP,
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": HTTP,
    "envoy.config.core.v3.HttpUri": HTTP,
    f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy": TCP,
    f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": TCP,
    f"{_FILTERS}.udp.udp_proxy.v3.Route": UDP,
    f"{_FILTERS}.udp.udp_proxy.v3.UdpProxyConfig": UDP,
}


def check_protocols(platform: Platform) -> None:
    """Raise DemoError for the first cluster that a listener sends a protocol which the target does not speak."""
    for proxy in first_proxies(platform):
        for message in author_messages(proxy.spec, proxy.key):
            tunnels = _tunnels(message.value, message.type)
            for found in cluster_references(message.value, message.type):
                sent = SENT.get(found.type)
                if sent is None or any(found.path[: len(path)] == path for path in tunnels):
                    continue
                for port in upstream_ports(proxy, found.name, platform):
                    if problem := _problem(sent, port, cluster_spec(proxy, found.name), platform):
                        key = key_below(message.key, found.path)
                        raise DemoError(platform.demo["file"], f"{key}: {problem}")


def _tunnels(value: Any, message_type: str) -> list[tuple[str | int, ...]]:
    """Return the paths of the routes that convert a CONNECT request to a TCP connection."""
    return [
        message.path
        for message in typed_messages(value, message_type)
        if message.type == ROUTE_ACTION and _connects(message)
    ]


def _connects(route: TypedMessage) -> bool:
    _path, upgrades = route.get("upgrade_configs")
    return any(snake_case_message(one).get("connect_config") is not None for one in messages(upgrades))


def _problem(sent: str, port: DemoPort, spec: Mapping[str, Any] | None, platform: Platform) -> str:
    """Return why a port of the demo cannot process what a cluster sends to it. Empty: it can, or it is unknown."""
    fields = snake_case_fields((spec or {}).get("cluster", {}), CLUSTER)
    if fields.get("upstream_config") is not None:
        return ""  # the cluster converts the protocol
    group, name = port
    listener = topology.listeners(platform.demo, group).get(name)
    spoken = topology.scheme_of(platform.demo, group, name)
    is_datagrams = spoken == "udp" if listener is None else uses_udp(listener)
    place = f"'{group}/{name}'"
    if sent == UDP:
        if is_datagrams:
            return ""
        return f"sends datagrams to {place}, which speaks {spoken}. Use a target with UDP, or a listener with 'routes' or 'filters'."
    if spoken == "udp":
        return f"sends {sent} to {place}, which accepts datagrams only. Use another target, or a listener with 'udp_filters'."
    if sent == TCP:
        return (
            f"sends {sent} to {place}, which accepts QUIC only. Use another target." if is_datagrams else ""
        )
    if problem := _quic_problem(place, is_datagrams, (spec or {}).get("protocol") == HTTP3, fields):
        return problem
    if listener is not None:
        return ""
    own_server = group in platform.demo["services"] and platform.demo["services"][group]["server"] is not None
    is_http2 = requires_http2(spec)
    remedy = f"Set 'protocol: http' in 'services.{group}', or use a listener with 'filters'."
    if spoken == "tcp" and not (own_server and is_http2):
        return f"sends {sent} to {place}, whose protocol is tcp. {remedy}"
    if spoken == "http" and is_http2 and not own_server:
        return (
            f"the cluster speaks HTTP/2 only, but {place} is the demo app, which speaks HTTP/1.1. Remove 'http2_protocol_options' of the"
            " cluster, or use a listener of a sidecar as its target."
        )
    return ""


def _quic_problem(place: str, is_quic: bool, is_http3: bool, fields: Mapping[str, Any]) -> str:
    """Return why HTTP requests do not reach a target because only one side speaks QUIC. Empty: both sides do, or neither."""
    if "transport_socket" in fields or is_quic == is_http3:
        return ""
    if is_quic:
        return f"sends HTTP requests over TCP to {place}, which accepts QUIC only. Set 'protocol: http3' in the cluster."
    return f"sends HTTP/3 to {place}, which accepts TCP only. Set 'protocol: http3' in the listener, or remove it from the cluster."
