# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The consistency of one cluster of a demo: its target, its discovery type and the fields that depend on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.host_address import is_unix_socket
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.tls_checks import check_cluster_tls
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import (
    DYNAMIC_FORWARD_PROXY,
    ORIGINAL_DST,
    discovery_without_endpoints,
    dns_fields,
    has_own_discovery,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    CLUSTER,
    overlay,
    snake_case_fields,
)

# The types of a Cluster that resolve host names.
DNS_TYPES = ("STRICT_DNS", "LOGICAL_DNS")
TLS_TYPES = "envoy.extensions.transport_sockets.tls.v3"
TARGETS = ("to", "address", "localities")


def check_cluster(cluster: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError if the keys of a cluster contradict each other, or if it has no endpoints and no way to find them."""
    _check_target(cluster, file, where)
    _check_localities(cluster, file, where)
    _check_dns_fields(cluster["cluster"], file, f"{where}.cluster")
    _check_port(cluster, file, where)
    check_cluster_tls(cluster["tls"], file, f"{where}.tls")
    _check_server_name(cluster, file, where)


def has_target(cluster: Mapping[str, Any]) -> bool:
    """Return whether a demo states the endpoints of a cluster by `to`, `address` or `localities`."""
    return any(cluster[key] for key in TARGETS)


def _check_target(cluster: Mapping[str, Any], file: str, where: str) -> None:
    found = [key for key in TARGETS if cluster[key]]
    discovery = discovery_without_endpoints(cluster["cluster"])
    if discovery and found:
        raise DemoError(
            file,
            f"{where}.{found[0]}: a cluster with '{discovery}' has no endpoints of its own. Remove the key.",
        )
    if len(found) > 1:
        raise DemoError(
            file,
            f"{where}: has {' and '.join(map(repr, found))}. Keep one of them, because each is a target.",
        )
    if not found and not discovery and not has_own_discovery(cluster["cluster"]):
        raise DemoError(
            file,
            f"{where}: expected exactly one target. Use 'to' (a service or proxy), 'localities', or 'address' and 'port'."
            f" A cluster whose 'cluster' has a type without endpoints, such as 'type: {ORIGINAL_DST}', needs none.",
        )


def _check_localities(cluster: Mapping[str, Any], file: str, where: str) -> None:
    for position, locality in enumerate(cluster["localities"] or []):
        locality_key = f"{where}.localities[{position}]"
        if not isinstance(locality.get("to"), str):
            raise DemoError(file, f"{locality_key}: 'to' is missing. Name a service or proxy of this demo.")
        if "lb_endpoints" in locality:
            raise DemoError(
                file,
                f"{locality_key}.lb_endpoints: the planner computes the endpoints from 'to'. Remove the key.",
            )


def _check_port(cluster: Mapping[str, Any], file: str, where: str) -> None:
    address, port = cluster["address"], cluster["port"]
    if not port:
        if address and not is_unix_socket(address):
            raise DemoError(file, f"{where}: 'address' needs a 'port'. Add it.")
        return
    if not address:
        subject = f"the port of '{cluster['to']}'" if cluster["to"] else "the ports of the endpoints"
        remedy = "Remove the key." if has_target(cluster) else "Remove the key, or add 'address'."
        raise DemoError(file, f"{where}.port: the planner computes {subject}. {remedy}")
    if is_unix_socket(address):
        raise DemoError(
            file, f"{where}.port: '{address}' is a Unix socket, which has no port. Remove the key."
        )


def _check_server_name(cluster: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError for TLS without a name to verify: any server with a certificate of the demo would be accepted.

    A dynamic forward proxy verifies the name of each request: Envoy requires `auto_san_validation` of it.
    """
    tls = cluster["tls"]
    has_name = has_target(cluster) and not is_unix_socket(cluster["address"])
    if (
        tls is None
        or tls["server_name"]
        or tls["subject_alt_name"]
        or has_name
        or configures_trust(tls["context"])
    ):
        return
    if DYNAMIC_FORWARD_PROXY not in discovery_without_endpoints(cluster["cluster"]):
        raise DemoError(
            file,
            f"{where}.tls.server_name: missing. The target has no host name, so state the name of the server's certificate.",
        )


def configures_trust(context: Mapping[str, Any]) -> bool:
    """Return whether an author's fields of UpstreamTlsContext contain a validation context."""
    fields = overlay({}, context, f"{TLS_TYPES}.UpstreamTlsContext").get("common_tls_context", {})
    return any("validation_context" in field for field in fields)


def _check_dns_fields(cluster: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError if DNS fields of a Cluster have no effect because of its discovery type."""
    fields = snake_case_fields(cluster, CLUSTER)
    found = [field for field in dns_fields(cluster) if fields[field] is not None]
    if not found:
        return
    if fields.get("cluster_type") is not None:
        raise DemoError(
            file,
            f"{where}.{found[0]}: Envoy ignores this field next to 'cluster_type'."
            " Move it to 'cluster_type.typed_config', or remove 'cluster_type'.",
        )
    discovery_type = fields.get("type")
    if isinstance(discovery_type, str) and discovery_type not in DNS_TYPES:
        raise DemoError(
            file,
            f"{where}.{found[0]}: has no effect with 'type: {discovery_type}', which resolves no names."
            f" Remove it, or use 'type: {DNS_TYPES[0]}'.",
        )
