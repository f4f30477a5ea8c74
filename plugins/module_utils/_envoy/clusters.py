# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters, which are the resources of clusters.yaml."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    UNIX,
    Message,
    any_message,
    network_address,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import (
    HTTP3,
    quic_upstream,
    upstream_options,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    CLUSTER,
    overlay,
    snake_case_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import (
    upstream_transport_socket,
)

# Fields of Cluster for the resolution of host names. Only the types STRICT_DNS and LOGICAL_DNS use them.
DNS_FIELDS = (
    "dns_refresh_rate",
    "dns_failure_refresh_rate",
    "dns_jitter",
    "dns_lookup_family",
    "dns_resolution_config",
    "dns_resolvers",
    "respect_dns_ttl",
    "typed_dns_resolver_config",
    "use_tcp_for_dns_lookups",
)
# Discovery types whose endpoints do not come from the Cluster: values of `type`, and names of the extension in `cluster_type`
# (Envoy's "Service discovery", 1.40). A custom cluster type can use both.
ORIGINAL_DST = "ORIGINAL_DST"
TYPES_WITHOUT_ENDPOINTS = (ORIGINAL_DST, "EDS")
DYNAMIC_FORWARD_PROXY = "envoy.clusters.dynamic_forward_proxy"
EXTENSIONS_WITHOUT_ENDPOINTS = (
    DYNAMIC_FORWARD_PROXY,
    "envoy.clusters.aggregate",
    "envoy.clusters.composite",
    "envoy.clusters.eds",
    "envoy.clusters.original_dst",
    "envoy.clusters.reverse_connection",
)
# Host and port. The host of a Unix socket is `unix://` and its path, and its port is NO_PORT.
Address = tuple[str, int]
NO_PORT = 0
# Fields of config.endpoint.v3.LocalityLbEndpoints, and the addresses of the locality.
Locality = tuple[Mapping[str, Any], Sequence[Address]]


def cluster(
    name: str,
    addresses: Sequence[Address] | None,
    overrides: Mapping[str, Any] | None = None,
    tls: Mapping[str, Any] | None = None,
    secrets: str = "",
    server_name: str = "",
    refresh: str = "5s",
    localities: Sequence[Locality] = (),
    standby: Address | None = None,
    protocol: str = "",
) -> Message:
    """Return a config.cluster.v3.Cluster.

    Args:
        name: The name of the cluster.
        addresses: The endpoints: host name, IP address or Unix socket, and port. With `localities`, the endpoints of all of them.
            None: `overrides` states the endpoints, or how Envoy finds them.
        overrides: Fields of Cluster that override the generated ones.
        tls: The `tls` of a demo's cluster. None connects without TLS.
        secrets: The folder of the proxy's SDS files, for a cluster with TLS.
        server_name: The name that the server's certificate must have, unless `tls` has another `server_name`.
        refresh: The interval at which host names are resolved again, as a protobuf duration such as `5s`.
        localities: The endpoints by locality. When empty, all endpoints are in one locality.
        standby: An endpoint that receives requests only while there is no other host.
        protocol: The version of HTTP to send, of http_protocols.HTTP_PROTOCOLS. Empty: HTTP/1.1.
    """
    message = any_message(CLUSTER, name=name)
    if addresses is not None:
        message |= _discovery_type(addresses, refresh, dns_fields(overrides or {}))
        message["load_assignment"] = {
            "cluster_name": name,
            "endpoints": [
                {**fields, "lb_endpoints": [_lb_endpoint(address) for address in locality_addresses]}
                for fields, locality_addresses in localities or [({}, addresses)]
            ],
        }
        if standby is not None:
            message["load_assignment"]["endpoints"].append(_standby_locality(standby, addresses[0][0]))
    elif states_endpoints(overrides or {}):
        message["load_assignment"] = {"cluster_name": name}
    if tls is not None:
        socket = upstream_transport_socket(secrets, tls, tls.get("server_name") or server_name)
        message["transport_socket"] = quic_upstream(socket) if protocol == HTTP3 else socket
    if protocol:
        message |= upstream_options(protocol)
    return overlay(message, overrides)


def address_cluster(name: str, address: Message) -> Message:
    """Return the cluster `name` with one endpoint at `address` (config.core.v3.Address), which is not resolved."""
    if "pipe" in address:
        address = {"pipe": {"path": address["pipe"]["path"]}}  # the mode is for the side that listens
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def dns_fields(overrides: Mapping[str, Any]) -> list[str]:
    """Return the DNS fields among an author's fields of a Cluster."""
    return [field for field in snake_case_fields(overrides, CLUSTER) if field in DNS_FIELDS]


def discovery_without_endpoints(overrides: Mapping[str, Any]) -> str:
    """Return the discovery type of an author's fields of a Cluster, such as `type: EDS`, if it has no endpoints. Empty: it has."""
    fields = snake_case_fields(overrides, CLUSTER)
    if fields.get("type") in TYPES_WITHOUT_ENDPOINTS:
        return f"type: {fields['type']}"
    extension = fields.get("cluster_type")
    name = extension.get("name") if isinstance(extension, Mapping) else None
    return f"cluster_type: {name}" if name in EXTENSIONS_WITHOUT_ENDPOINTS else ""


def has_own_discovery(overrides: Mapping[str, Any]) -> bool:
    """Return whether an author's fields of a Cluster state endpoints, or a custom type, which can find them."""
    return (
        states_endpoints(overrides) or snake_case_fields(overrides, CLUSTER).get("cluster_type") is not None
    )


def states_endpoints(overrides: Mapping[str, Any]) -> bool:
    """Return whether an author's fields of a Cluster contain endpoints."""
    assignment = snake_case_fields(overrides, CLUSTER).get("load_assignment")
    return isinstance(assignment, Mapping) and bool(assignment.get("endpoints"))


def is_ip(host: str) -> bool:
    """Return whether `host` is an IP address rather than a host name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lb_endpoint(address: Address) -> Message:
    return {"endpoint": {"address": network_address(*address)}}


def _standby_locality(address: Address, hostname: str) -> Message:
    """Return the locality of a standby endpoint.

    Envoy uses priority 1 only while priority 0 has no healthy host. A degraded host is not counted in `membership_healthy`.
    """
    endpoint = {**_lb_endpoint(address)["endpoint"], "hostname": hostname}
    return {"priority": 1, "lb_endpoints": [{"endpoint": endpoint, "health_status": "DEGRADED"}]}


def _discovery_type(addresses: Sequence[Address], refresh: str, author_dns_fields: Sequence[str]) -> Message:
    """Return STATIC for IP addresses, and a DNS cluster when at least one address is a host name.

    DnsCluster replaced the DNS fields of Cluster in Envoy 1.33 (its version history), and Envoy ignores them next to it. A cluster
    whose author sets one of them is STRICT_DNS, so that they take effect.
    """
    lookup = {"dns_lookup_family": "V4_PREFERRED", "dns_refresh_rate": refresh}
    if author_dns_fields:
        return {"type": "STRICT_DNS", **lookup}
    if all(is_ip(host) or host.startswith(UNIX) for host, _port in addresses):
        return {"type": "STATIC"}
    return {
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": any_message("envoy.extensions.clusters.dns.v3.DnsCluster", **lookup),
        }
    }
