# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A WebSocket to the API server (RFC 6455): its handshake, and its frames as pure functions.

The client's own (`kubernetes.stream`) waits for the server without a bound, and takes a thread and select() for each.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils.cluster.errors import ClusterError, refusal
from ansible_collections.meshlab.envoy.plugins.module_utils.cluster.settings import Settings

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LONGEST_FRAME = 16 * 1024 * 1024
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
        head = (
            f"GET {urlsplit(settings.server).path}{path} HTTP/1.1\r\n"
            f"Host: {urlsplit(settings.server).netloc}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n"
        ) + "".join(f"{name}: {value}\r\n" for name, value in settings.headers().items())
        connection.settimeout(_left(deadline))
        connection.sendall(f"{head}\r\n".encode("latin-1"))
        answer, rest = _head(connection, deadline)
        found = _STATUS.match(answer)
        if found is None:
            raise ClusterError("server", f"{settings.server} is no API server: it answers {answer[:60]!r}")
        if int(found[1]) != 101:
            raise refusal(int(found[1]), _body(connection, answer, rest, deadline), what)
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


def frame(opcode: int, payload: bytes) -> bytes:
    """One frame of a client, which are masked."""
    length = len(payload)
    head = bytes([0x80 | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65_536:
        head += b"\xfe" + length.to_bytes(2, "big")
    else:
        head += b"\xff" + length.to_bytes(8, "big")
    mask = os.urandom(4)
    return head + mask + _masked(payload, mask)


def frames(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Takes the whole frames that `data` begins with out of it: opcode and payload. Raises ValueError for what is none."""
    while len(data) >= 2:
        length, start = data[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        masked = bool(data[1] & 0x80)
        start += 4 if masked else 0
        if len(data) < start:
            return
        if length > LONGEST_FRAME:
            raise ValueError(f"a frame of {length} bytes")
        if len(data) < start + length:
            return
        opcode, payload = data[0] & 0x0F, bytes(data[start : start + length])
        if masked:
            payload = _masked(payload, bytes(data[start - 4 : start]))
        del data[: start + length]
        yield opcode, payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


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
