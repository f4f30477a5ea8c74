# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of a traffic that select and configure a version of HTTP or gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import choice, mapping, sequence
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import HTTP2_ALPN
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import Target
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    GRPC_KEYS,
    GRPC_PROTOCOLS,
    HTTP1,
    HTTP2,
    HTTP3,
    LIBRARY_PROTOCOLS,
    PROTOCOLS,
    REQUEST_KEYS,
)


def http_protocol(data: Mapping[str, Any], target: Target, where: str) -> str:
    """Return the version of HTTP of a traffic: the stated one, or HTTP/2 where `alpn` prefers it. Empty: it does not send HTTP."""
    if not target.http:
        return ""
    offered = data.get("alpn") or ()
    names = offered.split(",") if isinstance(offered, str) else list(offered)
    usual = HTTP2 if target.tls and names and names[0] == HTTP2_ALPN else HTTP1
    protocol = choice(data, "protocol", where, PROTOCOLS, usual)
    if "streams" in data and protocol not in LIBRARY_PROTOCOLS:
        raise ArgumentError(
            f"{where}.streams",
            "a connection of HTTP/1.1 has one request at a time. Set protocol, or remove streams.",
        )
    for key in GRPC_KEYS if protocol not in GRPC_PROTOCOLS else (*REQUEST_KEYS,):
        if key in data:
            remedy = "Set protocol: grpc" if protocol not in GRPC_PROTOCOLS else "Use messages"
            raise ArgumentError(f"{where}.{key}", f"the protocol is {protocol}. {remedy}, or remove the key.")
    if protocol in GRPC_PROTOCOLS:
        split_path(target.path, f"{where}.url")
    if protocol == HTTP3:
        _check_http3(data, target, where)
    return protocol


def split_path(path: str, where: str) -> tuple[str, str]:
    """Return the service and the method of the path of a gRPC call. Raises ArgumentError."""
    service, slash, method = path.partition("?")[0].removeprefix("/").partition("/")
    if not service or not slash or not method or "/" in method:
        raise ArgumentError(where, f"{path} is not the path of a gRPC method. Write /PACKAGE.SERVICE/METHOD.")
    return service, method


def request_messages(data: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], ...]:
    """Return the request messages of a gRPC call; one empty message by default."""
    where = f"{where}.messages"
    found = sequence(data.get("messages", ({},)), where, "messages")
    for position, one in enumerate(found):
        mapping(one, f"{where}[{position}]")
    return tuple(found)


def _check_http3(data: Mapping[str, Any], target: Target, where: str) -> None:
    if not target.tls:
        raise ArgumentError(f"{where}.url", "HTTP/3 is always encrypted. Use https://.")
    reasons = {
        "unix_socket": "QUIC needs a UDP port",
        "pod": "a port-forward does not carry UDP. Send the traffic to a listener that routes to this one",
        "ciphers": "QUIC has the ciphers of TLS 1.3, which cannot be selected",
        "alpn": "HTTP/3 offers h3",
    }
    for key, reason in reasons.items():
        if key in data:
            raise ArgumentError(f"{where}.{key}", f"{reason}. Remove the key, or use another protocol.")
    if data.get("tls_version") == "TLSv1.2":
        raise ArgumentError(f"{where}.tls_version", "QUIC needs TLSv1.3. Remove the key.")
