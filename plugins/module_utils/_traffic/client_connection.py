# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to one server, and what can go wrong on it, told apart."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import (
    Session,
    apply,
    session_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import TrafficError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import Relay
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import Pods

CHUNK = 65_536
KEPT = 1_048_576  # bytes of an answer's body that are kept to look into


class Answer(NamedTuple):
    """A complete answer to one request."""

    status: int | None  # None where the protocol has none
    headers: dict[str, str]  # names in lower case
    body: bytes = b""  # its first KEPT bytes, where somebody wants to look into it
    size: int = 0  # all of its bytes
    host: str | None = None  # who answered, where the connection knows
    tls: Session | None = None  # what the connection agreed on, where it is encrypted


class RequestError(Exception):
    """A request without a complete answer."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind  # one of expectation.ERRORS


class Client(Protocol):
    """What a protocol has to offer: a request and its complete answer, over a connection that it may keep."""

    connections: int  # opened so far
    retries: int  # requests sent again, since the server had closed a kept connection meanwhile

    def exchange(self, deadline: float) -> Answer:
        """Sends one request and reads its answer until `deadline` (of time.monotonic); raises RequestError."""

    def close(self) -> None:
        """Closes the connection, if there is one; the next exchange opens another."""


def left(deadline: float) -> float:
    """Seconds until `deadline`; raises the failure where there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise RequestError("timeout", "no complete answer within the timeout")
    return seconds


def connect(
    traffic: Traffic, deadline: float, context: ssl.SSLContext | None
) -> tuple[socket.socket, Relay | None]:
    """Opens a connection to a traffic's target, with TLS where its scheme says so. Through a pod, with what knows how that ends."""
    target = traffic.target
    where, line = f"{target.host}:{target.port}", None
    plain: socket.socket
    if traffic.pods is not None:
        forward, where = _through_pod(traffic.pods, deadline)
        plain, line = forward, forward.relay
    else:
        plain = _over_tcp(target.host, target.port, deadline)
    if context is None:
        return plain, line
    try:
        plain.settimeout(left(deadline))
        return context.wrap_socket(plain, server_hostname=traffic.server_name or target.host), line
    except TimeoutError:
        plain.close()
        raise RequestError("timeout", f"no TLS handshake with {where} within the timeout") from None
    except (OSError, ValueError) as error:
        plain.close()
        cut = cut_off(line)
        if cut is not None:
            raise cut from None
        raise RequestError("tls", f"no TLS handshake with {where}: {reason(error)}") from None
    except RequestError:
        plain.close()
        raise


def _over_tcp(host: str, port: int, deadline: float) -> socket.socket:
    where = f"{host}:{port}"
    try:
        plain = socket.create_connection((host, port), left(deadline))
    except TimeoutError:
        raise RequestError("timeout", f"no connection to {where} within the timeout") from None
    except (OSError, UnicodeError) as error:
        raise RequestError("connect", f"cannot connect to {where}: {reason(error)}") from None
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def _through_pod(pods: Pods, deadline: float) -> tuple[PortForward, str]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

    try:
        return pods.connect(left(deadline))
    except ClusterError as error:
        kind = "timeout" if error.reason == "timeout" else "connect"
        raise RequestError(kind, f"cannot connect to a pod: {error.message}") from None


def cut_off(line: Relay | None) -> RequestError | None:
    """Why a connection through the API server ended, where that was not the server's doing."""
    failure = line.failure if line is not None else None
    if failure is None:
        return None
    return RequestError("connect" if failure.reason == "refused" else "reset", failure.message)


def send_all(connection: socket.socket, data: bytes, deadline: float) -> None:
    """Sends `data`; a connection that breaks meanwhile is a `reset`."""
    try:
        connection.settimeout(left(deadline))
        connection.sendall(data)
    except TimeoutError:
        raise RequestError("timeout", "the request could not be sent within the timeout") from None
    except OSError as error:
        raise broken(error) from None


def receive(connection: socket.socket, deadline: float) -> bytes:
    """The next bytes, or none where the server has closed."""
    try:
        connection.settimeout(left(deadline))
        return connection.recv(CHUNK)
    except TimeoutError:
        raise RequestError("timeout", "no complete answer within the timeout") from None
    except OSError as error:
        raise broken(error) from None


def broken(error: OSError) -> RequestError:
    """An established connection's error: `tls` where the end of a handshake was refused, else `reset`."""
    # A TLS 1.3 server refuses a client's certificate after the client has finished its part of the handshake.
    kind = "tls" if type(error).__name__ in ("SSLError", "SSLCertVerificationError") else "reset"
    return RequestError(kind, f"the connection broke: {reason(error)}")


def reason(error: Exception) -> str:
    """An error's words without its number and the place in OpenSSL's source."""
    verification = getattr(error, "verify_message", "")
    if verification:
        return str(verification)
    words = (
        getattr(error, "reason", None)
        or getattr(error, "strerror", None)
        or str(error)
        or type(error).__name__
    )
    return str(words).replace("_", " ").lower()


class KeptConnection:
    """A client over a stream: its connection is kept, and opened anew where the server has closed it meanwhile."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.retries = 0
        self.traffic = traffic
        self._context = context
        self._socket: socket.socket | None = None
        self._line: Relay | None = None
        self._session: Session | None = None

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        """One request on one connection; None where that broke before the first byte of an answer."""
        raise NotImplementedError

    def exchange(self, deadline: float) -> Answer:
        if self._socket is not None:
            answer = self.attempt(self._socket, deadline)
            if answer is not None:
                return self._told(answer)
            self.close()
            self.retries += 1
        self._socket, self._line = connect(self.traffic, deadline, self._context)
        self._session = session_of(self._socket)
        self.connections += 1
        try:
            answer = self.attempt(self._socket, deadline)
        except RequestError as error:
            raise (cut_off(self._line) if error.kind == "reset" else None) or error from None
        if answer is None:
            raise cut_off(self._line) or RequestError(
                "reset", "the server closed the connection before it answered"
            )
        return self._told(answer)

    def _told(self, answer: Answer) -> Answer:
        return answer if self._session is None else answer._replace(tls=self._session)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = self._line = None


def first_bytes(connection: socket.socket, request: bytes, deadline: float) -> bytes:
    """Sends a request; the first bytes that come back, or none where the connection broke before."""
    try:
        if request:
            send_all(connection, request, deadline)
        return receive(connection, deadline)
    except RequestError as error:
        if error.kind == "reset":
            return b""
        raise


def tls_context(traffic: Traffic) -> ssl.SSLContext | None:
    """The TLS settings of a traffic, None where it needs none; raises TrafficError for a file of no use."""
    if not traffic.target.tls:
        return None
    import ssl  # here alone: most traffic needs none, and its import takes as long as twenty requests

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    apply(context, traffic.tls_version, traffic.ciphers, traffic.alpn)
    if traffic.ca is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(_path(traffic.ca))
        except OSError as error:
            raise TrafficError(
                f"{traffic.name}: ca {traffic.ca} is no file with CA certificates in PEM: {reason(error)}"
            ) from None
    if traffic.client_certificate is not None:
        pair = traffic.client_certificate
        try:
            context.load_cert_chain(_path(pair.certificate), _path(pair.key), password=_no_password)
        except (OSError, TrafficError) as error:
            pair_of = f"client_certificate {pair.certificate} and its key {pair.key}"
            raise TrafficError(f"{traffic.name}: {pair_of} cannot be used: {reason(error)}") from None
    return context


def _path(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # a ~ of nobody
        return Path(path)


def _no_password() -> str:
    """Stands where OpenSSL would ask on the terminal."""
    raise TrafficError("the key is encrypted; give one without a password")
