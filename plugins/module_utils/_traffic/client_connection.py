# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect to the target of a traffic, and classify what can fail on a connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import connect_unix
from ansible_collections.meshlab.envoy.plugins.module_utils._common.timeout_errors import TIMEOUT_ERRORS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session, session_of
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import Relay
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import PodTargets

CHUNK = 65_536  # bytes that one call receives
KEPT_BYTES = 1_048_576  # of an answer's body, for the expectations about bodies
KEPT_BYTES_OF_ALL = 16 * 1_048_576  # of the answers that are read at the same time


class Answer(NamedTuple):
    """A complete answer to one request."""

    status: int | None  # None where the protocol has no status
    headers: Mapping[str, str]  # by name in lower case
    body: bytes = b""  # the first KEPT_BYTES, where an expectation or host_from reads it; otherwise the first SAMPLE_BYTES
    size: int = 0  # of the whole body, in bytes
    host: str | None = None  # the answering host, where the connection identifies it
    tls: Session | None = None  # what the connection negotiated, where it is encrypted
    trailers: Mapping[str, str] = MappingProxyType({})  # by name in lower case
    messages: int = 0  # of a gRPC response
    grpc_status: str = ""  # name of the status, where the protocol is gRPC
    redirects: int = 0  # that were followed before this answer


class RequestError(Exception):
    """A request without a complete answer. `kind` is one of expectations.ERRORS."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Client(Protocol):
    """The client of one protocol: sends a request and reads its answer, over a connection that it may keep."""

    connections: int  # opened so far
    retries: int  # requests sent again because the server had closed a kept connection

    def exchange(self, deadline: float) -> Answer:
        """Send one request and return its answer, which has to be complete by `deadline` (of time.monotonic). Raises RequestError."""

    def close(self) -> None:
        """Close the connection, if it is open; the next exchange opens another one."""


def kept_bytes(traffic: Traffic) -> int:
    """Return how many bytes of an answer's body are kept, less where many answers are read at the same time."""
    return min(KEPT_BYTES, KEPT_BYTES_OF_ALL // traffic.concurrency)


def seconds_left(deadline: float) -> float:
    """Return the seconds until `deadline`. Raises RequestError where none are left."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise RequestError("timeout", "no complete answer within the timeout")
    return seconds


def connect(
    traffic: Traffic, deadline: float, context: ssl.SSLContext | None
) -> tuple[socket.socket, Relay | None]:
    """Open a connection to the target of a traffic, with TLS where `context` is set.

    Returns:
        The connection; for a pod also its port-forward, which has the reason when the API server ends the connection.

    Raises:
        RequestError: The connection cannot be opened.
    """
    target = traffic.target
    peer, relay = traffic.unix_socket or f"{target.host}:{target.port}", None
    plain: socket.socket
    if traffic.pods is not None:
        forward, peer = _connect_to_pod(traffic.pods, deadline)
        plain, relay = forward, forward.relay
    elif traffic.unix_socket is not None:
        plain = _connect_to_unix_socket(traffic.unix_socket, deadline)
    else:
        plain = _connect_over_tcp(target.host, target.port, deadline)
    if context is None:
        return plain, relay
    try:
        plain.settimeout(seconds_left(deadline))
        return context.wrap_socket(plain, server_hostname=traffic.server_name or target.host), relay
    except TIMEOUT_ERRORS:
        plain.close()
        raise RequestError("timeout", f"no TLS handshake with {peer} within the timeout") from None
    except (OSError, ValueError) as error:
        plain.close()
        ended = forward_error(relay)
        if ended is not None:
            raise ended from None
        raise RequestError("tls", f"no TLS handshake with {peer}: {error_text(error)}") from None
    except RequestError:
        plain.close()
        raise


def _connect_to_unix_socket(path: str, deadline: float) -> socket.socket:
    try:
        return connect_unix(path, seconds_left(deadline))
    except TIMEOUT_ERRORS:
        raise RequestError("timeout", f"no connection to {path} within the timeout") from None
    except OSError as error:
        raise RequestError("connect", f"cannot connect to {path}: {error_text(error)}") from None


def _connect_over_tcp(host: str, port: int, deadline: float) -> socket.socket:
    peer = f"{host}:{port}"
    try:
        plain = socket.create_connection((host, port), seconds_left(deadline))
    except TIMEOUT_ERRORS:
        raise RequestError("timeout", f"no connection to {peer} within the timeout") from None
    except (OSError, UnicodeError) as error:
        raise RequestError("connect", f"cannot connect to {peer}: {error_text(error)}") from None
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def _connect_to_pod(pods: PodTargets, deadline: float) -> tuple[PortForward, str]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

    try:
        return pods.connect(seconds_left(deadline))
    except ClusterError as error:
        kind = "timeout" if error.reason == "timeout" else "connect"
        raise RequestError(kind, f"cannot connect to a pod: {error.message}") from None


def forward_error(relay: Relay | None) -> RequestError | None:
    """Return why a port-forward ended, None where the server ended the connection itself."""
    failure = relay.failure if relay is not None else None
    if failure is None:
        return None
    return RequestError("connect" if failure.reason == "refused" else "reset", failure.message)


def send_all(connection: socket.socket, data: bytes, deadline: float) -> None:
    """Send `data`. Raises RequestError, of kind `reset` where the connection breaks."""
    try:
        connection.settimeout(seconds_left(deadline))
        connection.sendall(data)
    except TIMEOUT_ERRORS:
        raise RequestError("timeout", "the request was not sent within the timeout") from None
    except OSError as error:
        raise connection_error(error) from None


def receive(connection: socket.socket, deadline: float) -> bytes:
    """Return the next bytes, or no bytes where the server has closed the connection. Raises RequestError."""
    try:
        connection.settimeout(seconds_left(deadline))
        return connection.recv(CHUNK)
    except TIMEOUT_ERRORS:
        raise RequestError("timeout", "no complete answer within the timeout") from None
    except OSError as error:
        raise connection_error(error) from None


def connection_error(error: OSError) -> RequestError:
    """Return the error of an established connection: `tls` where the server refused the handshake, else `reset`."""
    # A TLS 1.3 server refuses a client's certificate after the client has finished its part of the handshake.
    kind = "tls" if type(error).__name__ in ("SSLError", "SSLCertVerificationError") else "reset"
    return RequestError(kind, f"the connection broke: {error_text(error)}")


class KeptConnection:
    """A client that keeps its connection, and opens it again where the server has closed it between two requests."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.retries = 0
        self.traffic = traffic
        self._context = context
        self._socket: socket.socket | None = None
        self._relay: Relay | None = None
        self._session: Session | None = None

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        """Send one request; return None where the connection broke before the first byte of an answer."""
        raise NotImplementedError

    def exchange(self, deadline: float) -> Answer:
        """Send one request and return its answer. A kept connection that broke is opened again once. Raises RequestError."""
        if self._socket is not None:
            answer = self.attempt(self._socket, deadline)
            if answer is not None:
                return self._with_session(answer)
            self.close()
            self.retries += 1
        self._socket, self._relay = connect(self.traffic, deadline, self._context)
        self._session = session_of(self._socket)
        self.connections += 1
        try:
            answer = self.attempt(self._socket, deadline)
        except RequestError as error:
            raise (forward_error(self._relay) if error.kind == "reset" else None) or error from None
        if answer is None:
            raise forward_error(self._relay) or RequestError(
                "reset", "the server closed the connection before it answered"
            )
        return self._with_session(answer)

    def _with_session(self, answer: Answer) -> Answer:
        return answer if self._session is None else answer._replace(tls=self._session)

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._socket is not None:
            self._socket.close()
            self._socket = self._relay = None


def first_bytes(connection: socket.socket, request: bytes, deadline: float) -> bytes:
    """Send a request and return the first bytes of the answer; no bytes where the connection broke before. Raises RequestError."""
    try:
        if request:
            send_all(connection, request, deadline)
        return receive(connection, deadline)
    except RequestError as error:
        if error.kind == "reset":
            return b""
        raise
