# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""clusters.yaml: whom a proxy talks to."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import tls_contexts as tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    overlay,
    socket_address,
    typed,
)

Address = tuple[str, int]
# Fields of config.endpoint.v3.LocalityLbEndpoints, and who is there.
Locality = tuple[Mapping[str, Any], Sequence[Address]]


def cluster(
    name: str,
    addresses: Sequence[Address],
    options: Mapping[str, Any] | None = None,
    tls: Mapping[str, Any] | None = None,
    secrets: str = "",
    server_name: str = "",
    refresh: str = "5s",
    localities: Sequence[Locality] = (),
) -> Message:
    """Return the Cluster `name` over `addresses` (host or IP, port).

    `options` are fields of Cluster, merged over these. Where `tls` is given (see `demo.shape.TLS`), the server has to
    be `server_name`, unless `tls` names another; `secrets` is the folder of the proxy's SDS files. Names are resolved
    again every `refresh`. With `localities`, `addresses` are those of all of them.
    """
    options = options or {}
    message = typed("envoy.config.cluster.v3.Cluster", name=name)
    # Both are one field in Envoy's eyes (a oneof): who states one of them wants no other.
    if not {"type", "cluster_type"} & options.keys():
        message.update(_discovery(addresses, refresh))
    message["load_assignment"] = {
        "cluster_name": name,
        "endpoints": [
            {**fields, "lb_endpoints": [_endpoint(one) for one in there]}
            for fields, there in localities or [({}, addresses)]
        ],
    }
    if tls is not None:
        wanted = tls.get("server_name") or server_name
        message["transport_socket"] = tls_context.upstream(secrets, tls, wanted)
    return overlay(message, options)


def _endpoint(address: Address) -> Message:
    return {"endpoint": {"address": socket_address(*address)}}


def address_cluster(name: str, address: Message) -> Message:
    """Return the Cluster `name` of one `address` (config.core.v3.Address) that needs no name resolution."""
    if "pipe" in address:
        address = {"pipe": {"path": address["pipe"]["path"]}}  # its mode is the listening side's
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _discovery(addresses: Sequence[Address], refresh: str) -> Message:
    """Return how endpoints are found: IP addresses need no discovery, names are resolved by Envoy.

    DnsCluster took the place of the cluster's own DNS fields in 1.33 (changelog of that version).
    """
    if all(is_ip(host) for host, _port in addresses):
        return {"type": "STATIC"}
    return {
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": typed(
                "envoy.extensions.clusters.dns.v3.DnsCluster",
                dns_lookup_family="V4_PREFERRED",
                dns_refresh_rate=refresh,
            ),
        }
    }


def is_ip(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
