# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of a stated HTTP version: codecs, QUIC transport sockets, options of a cluster, and the header Alt-Svc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
)

HTTP1, HTTP2, HTTP3 = "http1", "http2", "http3"
HTTP_PROTOCOLS = (HTTP1, HTTP2, HTTP3)
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Values of HttpConnectionManager.codec_type, and the protocols to offer with ALPN (RFC 9114, section 3.1, for HTTP/3).
CODECS = {HTTP1: "HTTP1", HTTP2: "HTTP2", HTTP3: "HTTP3"}
ALPN = {"": ("h2", "http/1.1"), HTTP1: ("http/1.1",), HTTP2: ("h2",), HTTP3: ("h3",)}
ALT_SVC_SECONDS = 86_400
# Fields of ExplicitHttpConfig in HttpProtocolOptions.
OPTION_FIELDS = {
    HTTP1: "http_protocol_options",
    HTTP2: "http2_protocol_options",
    HTTP3: "http3_protocol_options",
}
_QUIC = "envoy.extensions.transport_sockets.quic.v3"


def codec_fields(protocol: str) -> Message:
    """Return the fields of an HttpConnectionManager that accepts one version of HTTP; none for an empty protocol."""
    if not protocol:
        return {}
    return {"codec_type": CODECS[protocol], **({"http3_protocol_options": {}} if protocol == HTTP3 else {})}


def quic_listener_fields() -> Message:
    """Return the fields of a Listener that receives QUIC. With GRO, the kernel passes several datagrams at once ("HTTP/3 overview")."""
    return {
        "udp_listener_config": {
            "quic_options": {},
            "downstream_socket_config": {"prefer_gro": True},
        }
    }


def quic_downstream(tls_socket: Mapping[str, Any]) -> Message:
    """Return the QUIC transport socket of a listener with the DownstreamTlsContext of a TLS transport socket."""
    return _quic("QuicDownstreamTransport", "downstream_tls_context", tls_socket)


def quic_upstream(tls_socket: Mapping[str, Any]) -> Message:
    """Return the QUIC transport socket of a cluster with the UpstreamTlsContext of a TLS transport socket."""
    return _quic("QuicUpstreamTransport", "upstream_tls_context", tls_socket)


def _quic(kind: str, field: str, tls_socket: Mapping[str, Any]) -> Message:
    context = {key: value for key, value in tls_socket["typed_config"].items() if key != "@type"}
    return {
        "name": "envoy.transport_sockets.quic",
        "typed_config": any_message(f"{_QUIC}.{kind}", **{field: context}),
    }


def upstream_options(protocol: str) -> Message:
    """Return the field of a Cluster by which it sends requests with one version of HTTP."""
    options = any_message(HTTP_OPTIONS, explicit_http_config={OPTION_FIELDS[protocol]: {}})
    return {"typed_extension_protocol_options": {HTTP_OPTIONS: options}}


def alt_svc_header(port: int) -> Message:
    """Return the HeaderValueOption that announces HTTP/3 at a port (RFC 7838)."""
    header = {"key": "alt-svc", "value": f'h3=":{port}"; ma={ALT_SVC_SECONDS}'}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
