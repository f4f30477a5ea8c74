# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket to the API server: connection, proxy, TLS and handshake within one timeout.

The package `kubernetes` has a WebSocket client of its own (`kubernetes.stream`); its handshake has no timeout, and it needs a
thread for each connection.
"""

from __future__ import annotations

import base64
import socket
import ssl
import time
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import websocket_handshake
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import (
    MAX_HEAD_BYTES,
    HeadError,
    ResponseHead,
    head_end,
    parse_head,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.timeout_errors import TIMEOUT_ERRORS
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import (
    ConnectionSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import (
    ClusterError,
    response_error,
)


def open_websocket(
    settings: ConnectionSettings, path: str, protocol: str, subject: str, timeout: float
) -> tuple[socket.socket, bytes]:
    """Return a connection on which frames can be sent, and the bytes after the handshake's response.

    Args:
        settings: The API server and the user.
        path: The path and the query.
        protocol: The subprotocol to request.
        subject: What messages call the request.
        timeout: Seconds for connecting and for the handshake together.

    Raises:
        ClusterError: The API server does not respond, or refuses the upgrade.
    """
    deadline = time.monotonic() + timeout
    try:
        connection = _connect(settings, deadline)
    except TIMEOUT_ERRORS:
        raise ClusterError(
            "timeout", f"the API server at {settings.server} does not respond within {timeout:.3g} s"
        ) from None
    except OSError as error:
        raise unreachable(settings, error) from None
    try:
        return connection, _upgrade(settings, connection, path, protocol, subject, deadline)
    except BaseException as error:
        connection.close()
        if isinstance(error, TIMEOUT_ERRORS):
            raise ClusterError(
                "timeout", f"{subject}: no response from the API server within {timeout:.3g} s"
            ) from None
        if isinstance(error, OSError):
            raise ClusterError(
                "broken",
                f"{subject}: the connection to the API server broke ({error_text(error)})",
                transient=True,
            ) from None
        if isinstance(error, websocket_handshake.HandshakeError):
            raise ClusterError(
                "server",
                f"{subject}: {settings.server} did not open a WebSocket: {error}. Check the proxies in front of it.",
            ) from None
        if isinstance(error, HeadError):
            raise ClusterError("server", f"{settings.server} is not an API server: {error}") from None
        raise


def unreachable(settings: ConnectionSettings, error: BaseException) -> ClusterError:
    """Return the error for an API server to which no connection was possible."""
    text = error_text(error)
    transient = not isinstance(error, ssl.SSLCertVerificationError)
    hint = f"Check that the cluster is up, and that {settings.origin} has the right address."
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "Set cluster.ca_cert to its certificate authority, or cluster.validate_certs to false."
        message = f"the API server at {settings.server}: {text}"
    elif isinstance(error, ssl.SSLError):
        message = f"no TLS connection to the API server at {settings.server} ({text})"
    else:
        message = f"no API server answers at {settings.server} ({text})"
    return ClusterError("no_cluster", f"{message}. {hint}", transient=transient)


def _upgrade(
    settings: ConnectionSettings,
    connection: socket.socket,
    path: str,
    protocol: str,
    subject: str,
    deadline: float,
) -> bytes:
    """Do the handshake and return the bytes after its response."""
    key = websocket_handshake.new_key()
    server = urlsplit(settings.server)
    headers = (*settings.headers().items(), *settings.impersonation)
    request = websocket_handshake.request_bytes(f"{server.path}{path}", server.netloc, key, protocol, headers)
    connection.settimeout(_seconds_left(deadline))
    connection.sendall(request)
    head, rest = _read_head(connection, deadline)
    if head.status != websocket_handshake.SWITCHING_PROTOCOLS:
        body = _read_body(connection, head, rest, deadline)
        raise response_error(head.status, body, subject, head.headers.get("retry-after", ""))
    websocket_handshake.check_response(head.headers, key, protocol)
    return rest


def _connect(settings: ConnectionSettings, deadline: float) -> socket.socket:
    if settings.proxy:
        connection = _connect_through_proxy(settings, deadline)
    else:
        connection = socket.create_connection((settings.host, settings.port), _seconds_left(deadline))
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if settings.tls is None:
            return connection
        connection.settimeout(_seconds_left(deadline))
        return settings.tls.wrap_socket(connection, server_hostname=settings.server_name or settings.host)
    except BaseException:
        connection.close()
        raise


def _connect_through_proxy(settings: ConnectionSettings, deadline: float) -> socket.socket:
    proxy = urlsplit(settings.proxy if "://" in settings.proxy else f"http://{settings.proxy}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ClusterError(
            "no_cluster",
            f"proxy {settings.proxy}: a port-forward supports only an http:// proxy. Set cluster.proxy to one.",
        )
    connection = socket.create_connection((proxy.hostname, proxy.port or 80), _seconds_left(deadline))
    try:
        target = f"{settings.host}:{settings.port}"
        login = ""
        if proxy.username is not None:
            pair = f"{proxy.username}:{proxy.password or ''}".encode()
            login = f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}\r\n"
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode("latin-1"))
        head, _rest = _read_head(connection, deadline)
        if not 200 <= head.status < 300:
            raise ClusterError(
                "no_cluster",
                f"the proxy {proxy.hostname} does not connect to {target}: it returned status {head.status}",
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _read_head(connection: socket.socket, deadline: float) -> tuple[ResponseHead, bytes]:
    """Return the head of a response, and the bytes after it. Raises HeadError."""
    data = b""
    while (end := head_end(data)) < 0:
        connection.settimeout(_seconds_left(deadline))
        received = connection.recv(MAX_HEAD_BYTES)
        if not received or len(data) > MAX_HEAD_BYTES:
            raise ConnectionError("the server closed the connection before its response")
        data += received
    return parse_head(data[:end]), data[end:]


def _read_body(connection: socket.socket, head: ResponseHead, rest: bytes, deadline: float) -> bytes:
    """Return the body of a response with a content-length; of others what has come so far."""
    given = head.headers.get("content-length", "")
    length = min(int(given), MAX_HEAD_BYTES) if given.isdigit() else len(rest)
    while len(rest) < length:
        connection.settimeout(_seconds_left(deadline))
        received = connection.recv(MAX_HEAD_BYTES)
        if not received:
            break
        rest += received
    return rest[:length]


def _seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
