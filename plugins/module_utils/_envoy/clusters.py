# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters, which are the resources of clusters.yaml."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
    socket_address,
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
Address = tuple[str, int]
# Fields of config.endpoint.v3.LocalityLbEndpoints, and the addresses of the locality.
Locality = tuple[Mapping[str, Any], Sequence[Address]]


def cluster(
    name: str,
    addresses: Sequence[Address],
    overrides: Mapping[str, Any] | None = None,
    tls: Mapping[str, Any] | None = None,
    secrets: str = "",
    server_name: str = "",
    refresh: str = "5s",
    localities: Sequence[Locality] = (),
) -> Message:
    """Return a config.cluster.v3.Cluster.

    Args:
        name: The name of the cluster.
        addresses: The endpoints: host name or IP address, and port. With `localities`, the endpoints of all of them.
        overrides: Fields of Cluster that override the generated ones.
        tls: The `tls` of a demo's cluster. None connects without TLS.
        secrets: The folder of the proxy's SDS files, for a cluster with TLS.
        server_name: The name that the server's certificate must have, unless `tls` has another `server_name`.
        refresh: The interval at which host names are resolved again, as a protobuf duration such as `5s`.
        localities: The endpoints by locality. When empty, all endpoints are in one locality.
    """
    message = any_message(
        CLUSTER, name=name, **_discovery_type(addresses, refresh, dns_fields(overrides or {}))
    )
    message["load_assignment"] = {
        "cluster_name": name,
        "endpoints": [
            {**fields, "lb_endpoints": [_lb_endpoint(address) for address in locality_addresses]}
            for fields, locality_addresses in localities or [({}, addresses)]
        ],
    }
    if tls is not None:
        message["transport_socket"] = upstream_transport_socket(
            secrets, tls, tls.get("server_name") or server_name
        )
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


def is_ip(host: str) -> bool:
    """Return whether `host` is an IP address rather than a host name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lb_endpoint(address: Address) -> Message:
    return {"endpoint": {"address": socket_address(*address)}}


def _discovery_type(addresses: Sequence[Address], refresh: str, author_dns_fields: Sequence[str]) -> Message:
    """Return STATIC for IP addresses, and a DNS cluster when at least one address is a host name.

    DnsCluster replaced the DNS fields of Cluster in Envoy 1.33 (its version history), and Envoy ignores them next to it. A cluster
    whose author sets one of them is STRICT_DNS, so that they take effect.
    """
    lookup = {"dns_lookup_family": "V4_PREFERRED", "dns_refresh_rate": refresh}
    if author_dns_fields:
        return {"type": "STRICT_DNS", **lookup}
    if all(is_ip(host) for host, _port in addresses):
        return {"type": "STATIC"}
    return {
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": any_message("envoy.extensions.clusters.dns.v3.DnsCluster", **lookup),
        }
    }
