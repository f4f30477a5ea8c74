# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The handshake of a WebSocket to the API server (RFC 6455, 4).

The client's own (`kubernetes.stream`) waits for the server without a bound, and takes a thread and select() for each.
"""

from __future__ import annotations

import base64
import io
import re
import socket
import ssl
import time
from http.client import parse_headers
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common import websocket_handshake
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import Settings
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError, refusal

_LONGEST_HEAD = 65_536
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def open_websocket(
    settings: Settings, path: str, protocol: str, what: str, timeout: float
) -> tuple[socket.socket, bytes]:
    """A connection on which frames can be sent, and what came on it already. Raises ClusterError."""
    deadline = time.monotonic() + timeout
    try:
        connection = _connect(settings, deadline)
    except TimeoutError:
        raise ClusterError(
            "timeout", f"the API server at {settings.server} does not answer in {timeout:g} s"
        ) from None
    except OSError as error:
        raise not_there(settings, error) from None
    try:
        key = websocket_handshake.new_key()
        server = urlsplit(settings.server)
        headers = (*settings.headers().items(), *settings.impersonates)
        request = websocket_handshake.request_bytes(
            f"{server.path}{path}", server.netloc, key, protocol, headers
        )
        connection.settimeout(_left(deadline))
        connection.sendall(request)
        answer, rest = _head(connection, deadline)
        found = _STATUS.match(answer)
        if found is None:
            raise ClusterError("server", f"{settings.server} is no API server: it answers {answer[:60]!r}")
        if int(found[1]) != 101:
            raise refusal(int(found[1]), _body(connection, answer, rest, deadline), what)
        websocket_handshake.check_response(_headers(answer), key, protocol)
    except websocket_handshake.HandshakeError as error:
        connection.close()
        raise ClusterError(
            "server",
            f"{what}: {settings.server} did not open a WebSocket: {error}. Check the proxies before it.",
        ) from None
    except TimeoutError:
        connection.close()
        raise ClusterError("timeout", f"{what}: no answer from the API server in {timeout:g} s") from None
    except OSError as error:
        connection.close()
        raise ClusterError(
            "broken", f"{what}: the connection to the API server broke ({_words(error)})"
        ) from None
    except BaseException:
        connection.close()
        raise
    return connection, rest


def not_there(settings: Settings, error: object) -> ClusterError:
    """Nobody answers where the API server should be."""
    hint = f"{settings.origin} names it; is the cluster up, and is it the right one?"
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "give the CA that it is of (cluster.ca_cert), or validate_certs: false"
        return ClusterError(
            "no_cluster",
            f"the certificate of the API server at {settings.server} is not trusted ({error.verify_message}); {hint}",
        )
    if isinstance(error, ssl.SSLError):
        return ClusterError(
            "no_cluster", f"no TLS with the API server at {settings.server} ({_words(error)}); {hint}"
        )
    return ClusterError("no_cluster", f"no API server answers at {settings.server} ({_words(error)}); {hint}")


def _connect(settings: Settings, deadline: float) -> socket.socket:
    if settings.proxy:
        connection = _through_proxy(settings, deadline)
    else:
        connection = socket.create_connection((settings.host, settings.port), _left(deadline))
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if settings.context is None:
            return connection
        connection.settimeout(_left(deadline))
        return settings.context.wrap_socket(connection, server_hostname=settings.server_name or settings.host)
    except BaseException:
        connection.close()
        raise


def _through_proxy(settings: Settings, deadline: float) -> socket.socket:
    proxy = urlsplit(settings.proxy if "://" in settings.proxy else f"http://{settings.proxy}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ClusterError(
            "no_cluster", f"a port-forward goes through an http:// proxy, not through {settings.proxy}"
        )
    connection = socket.create_connection((proxy.hostname, proxy.port or 80), _left(deadline))
    try:
        target = f"{settings.host}:{settings.port}"
        login = ""
        if proxy.username is not None:
            pair = f"{proxy.username}:{proxy.password or ''}".encode()
            login = f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}\r\n"
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode("latin-1"))
        answer, _rest = _head(connection, deadline)
        found = _STATUS.match(answer)
        if found is None or not found[1].startswith(b"2"):
            line = answer.partition(b"\r\n")[0].decode("latin-1")
            raise ClusterError(
                "no_cluster", f"the proxy {proxy.hostname} does not connect to {target}: {line[:100]}"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _head(connection: socket.socket, deadline: float) -> tuple[bytes, bytes]:
    """The head of an answer, and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        connection.settimeout(_left(deadline))
        more = connection.recv(_LONGEST_HEAD)
        if not more or len(data) > _LONGEST_HEAD:
            raise ConnectionError("it closed the connection before it answered")
        data += more
    head, _mark, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _headers(head: bytes) -> dict[str, str]:
    """Return the headers of a response's head, with names in lower case; a repeated header is joined with commas."""
    _line, _end, lines = head.partition(b"\r\n")
    message = parse_headers(io.BytesIO(lines + b"\r\n\r\n"))
    return {name.lower(): ", ".join(message.get_all(name, ())) for name in message}


def _body(connection: socket.socket, head: bytes, rest: bytes, deadline: float) -> bytes:
    """A refusal's body, as far as it says how long it is."""
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    length = min(int(found[1]), _LONGEST_HEAD) if found else len(rest)
    while len(rest) < length:
        connection.settimeout(_left(deadline))
        more = connection.recv(_LONGEST_HEAD)
        if not more:
            break
        rest += more
    return rest[:length]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _words(error: object) -> str:
    words = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    return str(words).lower() or type(error).__name__
