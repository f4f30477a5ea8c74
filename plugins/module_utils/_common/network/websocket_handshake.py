# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of the WebSocket handshake (RFC 6455, sections 4.1 and 4.2.2), as pure functions."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
SWITCHING_PROTOCOLS = 101  # the status of a response that accepts the upgrade
VERSION = "13"


class HandshakeError(Exception):
    """A response with status 101 that does not open a WebSocket; its text names the header that is wrong."""


def new_key() -> str:
    """Return the Sec-WebSocket-Key of one handshake: 16 random bytes in base64."""
    return base64.b64encode(os.urandom(16)).decode("ascii")


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept with which a server accepts a Sec-WebSocket-Key.

    Example (from RFC 6455, section 1.3):
        >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
        's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(f"{key}{GUID}".encode("ascii")).digest()  # noqa: S324  (prescribed by the RFC)
    return base64.b64encode(digest).decode("ascii")


def upgrade_headers(key: str, protocol: str = "") -> tuple[tuple[str, str], ...]:
    """Return the headers that turn a GET request into a request for a WebSocket.

    Args:
        key: The key from `new_key`.
        protocol: The subprotocol to request; empty to request none.
    """
    headers = (
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", VERSION),
        ("sec-websocket-key", key),
    )
    return (*headers, ("sec-websocket-protocol", protocol)) if protocol else headers


def request_bytes(
    target: str, host: str, key: str, protocol: str = "", headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """Return an HTTP/1.1 request for a WebSocket.

    Args:
        target: The path and the query.
        host: The value of the header `host`: a name or an address, and the port if it is not the scheme's.
        key: The key from `new_key`.
        protocol: The subprotocol to request; empty to request none.
        headers: Further headers; a name may occur several times.
    """
    pairs = (("host", host), *upgrade_headers(key, protocol), *headers)
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def check_response(headers: Mapping[str, str], key: str, protocol: str = "") -> None:
    """Check the headers of a response with status 101 against the request (RFC 6455, section 4.1).

    Args:
        headers: The response's headers, with names in lower case.
        key: The key that was sent.
        protocol: The subprotocol that was requested; empty where none was.

    Raises:
        HandshakeError: The response is for another key or protocol, or does not open a WebSocket.

    Example:
        >>> check_response({"upgrade": "websocket", "connection": "Upgrade"}, "dGhlIHNhbXBsZSBub25jZQ==")
        Traceback (most recent call last):
        ...
        HandshakeError: the response has no sec-websocket-accept
    """
    if "websocket" not in _tokens(headers, "upgrade"):
        raise HandshakeError(_unexpected(headers, "upgrade", "websocket"))
    if "upgrade" not in _tokens(headers, "connection"):
        raise HandshakeError(_unexpected(headers, "connection", "Upgrade"))
    if headers.get("sec-websocket-accept", "").strip() != accept_key(key):
        raise HandshakeError(_unexpected(headers, "sec-websocket-accept", accept_key(key)))
    if headers.get("sec-websocket-extensions", "").strip():
        raise HandshakeError(_unexpected(headers, "sec-websocket-extensions", "none"))
    if headers.get("sec-websocket-protocol", "").strip() not in ("", protocol):
        raise HandshakeError(_unexpected(headers, "sec-websocket-protocol", protocol or "none"))


def _tokens(headers: Mapping[str, str], name: str) -> list[str]:
    return [token.strip().lower() for token in headers.get(name, "").split(",")]


def _unexpected(headers: Mapping[str, str], name: str, expected: str) -> str:
    if name not in headers:
        return f"the response has no {name}"
    return f"expected {name} {expected}, got {headers[name][:100]}"
