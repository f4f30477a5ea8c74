# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners, which are the resources of listeners.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import http_connection_manager
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import (
    ALPN,
    CODECS,
    HTTP1,
    HTTP3,
    quic_downstream,
    quic_listener_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    HTTP_CONNECTION_MANAGER,
    LISTENER,
    overlay,
    snake_case_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import (
    downstream_transport_socket,
)


def listener(
    name: str,
    spec: Mapping[str, Any],
    address: Message,
    secrets: str,
    access_log: bool = True,
) -> Message:
    """Return a config.listener.v3.Listener.

    Args:
        name: The name of the listener, which is the stat prefix of its filters.
        spec: The listener of a demo, with all keys: `routes`, `virtual_hosts` or `filters`, or else `filter_chains` or
            `udp_filters`, and `tls`. Its `listener` holds fields of Listener that override the generated ones.
        address: The config.core.v3.Address to bind to.
        secrets: The folder of the proxy's SDS files, for a listener with TLS.
        access_log: Whether to log each HTTP request on standard output.
    """
    message = any_message(LISTENER, name=name, address=address)
    if spec["udp_filters"] is not None:
        message["address"] = {"socket_address": {**address["socket_address"], "protocol": "UDP"}}
        message["listener_filters"] = [dict(udp_filter) for udp_filter in spec["udp_filters"]]
    elif spec["filter_chains"] is not None:
        message["filter_chains"] = [
            {
                "name": chain_name,
                "filter_chain_match": chain["match"],
                **_filter_chain(chain_name, chain, secrets, access_log),
            }
            for chain_name, chain in spec["filter_chains"].items()
        ]
    else:
        message["filter_chains"] = [_filter_chain(name, spec, secrets, access_log)]
    if spec.get("protocol") == HTTP3:
        message["address"] = {"socket_address": {**address["socket_address"], "protocol": "UDP"}}
        message |= quic_listener_fields()
    return overlay(message, spec["listener"])


def scheme(spec: Mapping[str, Any]) -> str:
    """Return the protocol of a demo's listener: http, https, tcp, tls or udp; with filter chains, that of the first one."""
    if spec.get("udp_filters") is not None:
        return "udp"
    if spec.get("filter_chains"):
        return scheme(next(iter(spec["filter_chains"].values())))
    plain, encrypted = ("tcp", "tls") if is_tcp(spec) else ("http", "https")
    return plain if spec["tls"] is None else encrypted


def uses_udp(spec: Mapping[str, Any]) -> bool:
    """Return whether a demo's listener receives datagrams: by `udp_filters`, or by an address of its own fields, as for QUIC."""
    if spec.get("udp_filters") is not None or spec.get("protocol") == HTTP3:
        return True
    address = own_address(spec).get("socket_address")
    return isinstance(address, Mapping) and address.get("protocol") == "UDP"


def own_address(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config.core.v3.Address in the author's fields of a demo's listener, empty if there is none."""
    if not spec.get("listener"):
        return {}
    address: Any = overlay({}, spec["listener"], LISTENER).get("address")
    return address if isinstance(address, Mapping) else {}


def is_tcp(spec: Mapping[str, Any]) -> bool:
    """Return whether a listener or filter chain has network filters of its own instead of HTTP routes."""
    return spec["filters"] is not None


def only_codec(spec: Mapping[str, Any]) -> str:
    """Return the codec, `HTTP2` or `HTTP3`, that every filter chain of a demo's listener requires. Empty: a chain accepts HTTP/1.1."""
    if spec.get("protocol"):
        return "" if spec["protocol"] == HTTP1 else CODECS[spec["protocol"]]
    codecs = {
        str(
            snake_case_fields(chain["http_connection_manager"], HTTP_CONNECTION_MANAGER).get("codec_type", "")
        )
        for chain in filter_chains(spec)
    }
    return codecs.pop() if len(codecs) == 1 and codecs <= {"HTTP2", "HTTP3"} else ""


def filter_chains(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the filter chains of a demo's listener, or the listener itself when it is its only chain."""
    return list(spec["filter_chains"].values()) if spec["filter_chains"] else [spec]


def _filter_chain(stat_prefix: str, spec: Mapping[str, Any], secrets: str, access_log: bool) -> Message:
    chain: Message = {"filters": _filters(stat_prefix, spec, access_log)}
    if spec["tls"] is not None:
        protocol = spec.get("protocol") or ""
        alpn_protocols = () if is_tcp(spec) else ALPN[protocol]
        socket = downstream_transport_socket(secrets, spec["tls"], alpn_protocols)
        chain["transport_socket"] = quic_downstream(socket) if protocol == HTTP3 else socket
    return chain


def _filters(stat_prefix: str, spec: Mapping[str, Any], access_log: bool) -> list[Message]:
    if is_tcp(spec):
        return [dict(network_filter) for network_filter in spec["filters"]]
    virtual_hosts = spec["virtual_hosts"]
    if virtual_hosts is None:
        virtual_hosts = [{"name": stat_prefix, "domains": ["*"], "routes": spec["routes"]}]
    return [
        http_connection_manager(
            stat_prefix,
            virtual_hosts,
            spec["http_filters"],
            spec["http_connection_manager"],
            access_log,
            protocol=spec.get("protocol") or "",
            alt_svc_port=spec.get("alt_svc_port"),
        )
    ]
