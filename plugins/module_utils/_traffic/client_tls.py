# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS of traffic: what a client offers, and what its sessions negotiated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    expected,
    mapping,
    optional,
    scalar_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.tls import (
    TlsError,
    client_context,
)

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

HTTP_ALPN = ("http/1.1",)
HTTP2_ALPN = "h2"
OVER_HTTP2 = ("http2", "grpc", "grpc_web")
_LONGEST_PROTOCOL = 255  # bytes, RFC 7301 section 3.1


class Session(NamedTuple):
    """What client and server negotiated."""

    version: str  # TLSv1.3
    cipher: str  # TLS_AES_256_GCM_SHA384
    alpn: str  # h2; empty where the server chose no protocol

    @property
    def text(self) -> str:
        """The parts of the session, for a result: `TLSv1.3, h2, TLS_AES_256_GCM_SHA384`."""
        return ", ".join(filter(None, (self.version, self.alpn, self.cipher)))


class SessionMatch(NamedTuple):
    """The sessions that an expectation counts; None accepts any value."""

    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None

    def matches(self, session: Session | None) -> bool:
        """Return whether a session has all expected values."""
        if session is None:
            return False
        return all(value in (None, getattr(session, name)) for name, value in self._asdict().items())

    @property
    def text(self) -> str:
        """The expected values, for a message: `version TLSv1.3, alpn none`."""
        return ", ".join(
            f"{name} {value or 'none'}" for name, value in self._asdict().items() if value is not None
        )


def parse_session_match(entry: Any, where: str) -> SessionMatch:
    """Return the option `tls` of an expectation. Raises ArgumentError."""
    data = mapping(entry, where, SessionMatch._fields)
    if not data:
        raise ArgumentError(where, f"no key is set. Set at least one of: {', '.join(SessionMatch._fields)}.")
    return SessionMatch(*(optional(data, key, where, scalar_text) for key in SessionMatch._fields))


def parse_alpn(data: Mapping[str, Any], where: str, protocol: str) -> tuple[str, ...]:
    """Return the protocols to offer, the preferred one first. Raises ArgumentError.

    Args:
        data: The traffic.
        where: Its key.
        protocol: The version of HTTP, which has a default; empty for other protocols.
    """
    protocols = data.get("alpn")
    if protocols is None:
        return (HTTP2_ALPN,) if protocol in OVER_HTTP2 else HTTP_ALPN if protocol == "http1" else ()
    if isinstance(protocols, str):
        protocols = [name.strip() for name in protocols.split(",") if name.strip()]
    if not isinstance(protocols, (list, tuple)) or not all(
        isinstance(name, str) and 0 < len(name) <= _LONGEST_PROTOCOL for name in protocols
    ):
        raise expected(f"{where}.alpn", "a list of protocols, such as [h2, http/1.1]", protocols)
    if protocol in OVER_HTTP2 and HTTP2_ALPN not in protocols:
        raise ArgumentError(
            f"{where}.alpn", f"protocol {protocol} needs h2 among them. Add it, or remove alpn."
        )
    if protocol == "http1" and not set(protocols) <= {"http/1.1", "http/1.0"}:
        raise ArgumentError(
            f"{where}.alpn",
            "HTTP/1.1 and wss:// support only http/1.1. Put h2 first for HTTP/2, or send a payload over tls:// to offer other protocols.",
        )
    return tuple(protocols)


def tls_context(traffic: Traffic) -> ssl.SSLContext | None:
    """Return the TLS context of a traffic, None where connections are not encrypted.

    Raises:
        ArgumentError: A file cannot be used, or OpenSSL supports none of the ciphers.
    """
    if not traffic.target.tls:
        return None
    pair = traffic.client_certificate
    try:
        return client_context(
            ca=traffic.ca,
            certificate=pair.certificate if pair else None,
            key=pair.key if pair else None,
            version=traffic.tls_version,
            ciphers=traffic.ciphers,
            alpn=traffic.alpn,
        )
    except TlsError as error:
        option = "client_certificate" if error.setting == "certificate" else error.setting
        raise ArgumentError(f"{traffic.name}: {option}", f"{error}.") from None


def session_of(connection: Any) -> Session | None:
    """Return what a connection negotiated, None where it is not encrypted."""
    if not hasattr(connection, "selected_alpn_protocol"):
        return None
    cipher = connection.cipher()
    return Session(
        connection.version() or "", cipher[0] if cipher else "", connection.selected_alpn_protocol() or ""
    )
