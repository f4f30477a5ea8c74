# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of the load generator: HTTP/1.1 and HTTP/2, with and without TLS.

A client is judged by the rules of RFC 9110 and RFC 9113: it resends a request if the server closed a connection that had already
served a request without a byte of the response (RFC 9110, 9.3.1), or if a GOAWAY or REFUSED_STREAM states that the server did not
process the request (RFC 9113, 6.8 and 8.7). Every other request without status 200 is a failed request.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

CHUNK = 65_536


@dataclass(frozen=True)
class Target:
    """The server of a client: its address, and the certificate authority that verifies it. Without `authority`, no TLS."""

    host: str
    port: int
    authority: str = ""
    timeout: float = 10.0

    def connect(self, protocol: str) -> socket.socket:
        """Return a new connection. Raises OSError."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.authority:
            return plain
        context = ssl.create_default_context(cafile=self.authority)
        context.check_hostname = False  # one of the changes gives the certificate other names
        context.set_alpn_protocols([protocol])
        try:
            return context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


class Http1Client:
    """Sends one request at a time, over a kept connection or over a new one for each request."""

    def __init__(self, target: Target, keep: bool) -> None:
        self.target = target
        self.keep = keep
        self.resent = 0
        self._connection: socket.socket | None = None

    def exchange(self, paths: Sequence[str]) -> list[str]:
        """Send a request for each path. Return the cause of each failure; an empty text is a success."""
        return [self._request(path) for path in paths]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, path: str) -> str:
        cause, started = "", False
        for _attempt in range(2):
            is_reused = self._connection is not None
            try:
                cause, started = self._attempt(path)
            except OSError as error:
                cause, started = _cause("connect" if self._connection is None else "read", error), False
            if cause or not self.keep:
                self.close()
            if not cause or started or not is_reused or "timeout" in cause:
                break
            self.resent += 1
        return cause

    def _attempt(self, path: str) -> tuple[str, bool]:
        """Return the cause of a failure, and whether the response had started."""
        if self._connection is None:
            self._connection = self.target.connect("http/1.1")
        connection = self._connection
        close = "" if self.keep else "Connection: close\r\n"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: load.test\r\n{close}\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            data = _received(connection)
            if not data:
                return "closed before the response" if not received else "closed in the headers", bool(
                    received
                )
            received += data
        raw, _blank, body = received.partition(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _colon, value in (line.partition(":") for line in lines[1:])
        }
        chunked = "chunked" in headers.get("transfer-encoding", "")
        while not body.endswith(b"0\r\n\r\n") if chunked else len(body) < int(headers["content-length"]):
            data = _received(connection)
            if not data:
                return "closed in the body", True
            body += data
        if headers.get("connection", "").lower() == "close":
            self.close()
        status = lines[0].split(" ")[1]
        return ("" if status == "200" else f"status {status}{_sample(body)}"), True


class GracefulConnection(H2Connection):
    """A connection that stays open after a GOAWAY, because the server completes the streams that it has accepted."""

    def _receive_goaway_frame(self, frame: Any) -> Any:
        received = super()._receive_goaway_frame(frame)
        self.state_machine.state = ConnectionState.CLIENT_OPEN
        return received


class Http2Client:
    """Sends several requests at a time, over one kept connection or over a new one for each batch."""

    def __init__(self, target: Target, keep: bool) -> None:
        self.target = target
        self.keep = keep
        self.resent = 0
        self._connection: socket.socket | None = None
        self._protocol = GracefulConnection()
        self._last_stream = 2**31  # the last stream that the server processes, after a GOAWAY

    def exchange(self, paths: Sequence[str]) -> list[str]:
        """Send a request for each path. Return the cause of each failure; an empty text is a success."""
        causes: dict[int, str] = {}
        left = list(range(len(paths)))
        for _attempt in range(4):
            is_reused = self._connection is not None
            batch = Batch()
            try:
                self._send(batch, left, paths)
                while batch.open:
                    self._receive(batch)
            except (OSError, ProtocolError) as error:
                cause = _cause("connect" if self._connection is None else "read", error)
                batch.end_all(left, cause, resend=is_reused and not batch.answered and "timeout" not in cause)
            if batch.resend or any(batch.causes.values()) or not self.keep or self._last_stream < 2**31:
                self.close()
            causes |= batch.causes
            left = batch.resend
            if not left:
                break
            self.resent += len(left)
        return [causes.get(number, "refused by GOAWAY four times") for number in range(len(paths))]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, batch: Batch, numbers: Sequence[int], paths: Sequence[str]) -> None:
        if self._connection is None:
            self._connection = self.target.connect("h2")
            self._protocol = GracefulConnection(H2Configuration(client_side=True))
            self._protocol.initiate_connection()
            self._last_stream = 2**31
        for number in numbers:
            stream = self._protocol.get_next_available_stream_id()
            scheme = "https" if self.target.authority else "http"
            headers = {":method": "GET", ":authority": "load.test", ":scheme": scheme, ":path": paths[number]}
            self._protocol.send_headers(stream, list(headers.items()), end_stream=True)
            batch.open[stream] = number
        self._connection.sendall(self._protocol.data_to_send())

    def _receive(self, batch: Batch) -> None:
        assert self._connection is not None
        data = _received(self._connection)
        if not data:
            raise ConnectionResetError("closed without GOAWAY")
        for event in self._protocol.receive_data(data):
            if isinstance(event, ResponseReceived):
                batch.answered = True
                batch.statuses[event.stream_id] = dict(event.headers)[b":status"].decode()
            elif isinstance(event, DataReceived):
                self._protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                batch.bodies[event.stream_id] = event.data
            elif isinstance(event, StreamEnded):
                batch.end(event.stream_id)
            elif isinstance(event, StreamReset):
                refused = event.error_code == ErrorCodes.REFUSED_STREAM
                batch.end(event.stream_id, f"reset with {ErrorCodes(event.error_code).name}", resend=refused)
            elif isinstance(event, ConnectionTerminated):
                self._last_stream = event.last_stream_id or 0
                for stream in [one for one in batch.open if one > self._last_stream]:
                    batch.end(stream, "GOAWAY", resend=True)
        if out := self._protocol.data_to_send():
            self._connection.sendall(out)


class Batch:
    """The streams of one batch of requests: those that are open, the causes of failures, and the requests to send again."""

    def __init__(self) -> None:
        self.open: dict[int, int] = {}  # the number of the request by stream
        self.statuses: dict[int, str] = {}
        self.bodies: dict[int, bytes] = {}
        self.causes: dict[int, str] = {}  # by number of the request
        self.resend: list[int] = []
        self.answered = False

    def end(self, stream: int, cause: str = "", resend: bool = False) -> None:
        """Record the end of a stream: a complete response, a failure, or a request to send again."""
        number = self.open.pop(stream, None)
        if number is None:
            return
        status = self.statuses.get(stream, "")
        if not cause and status != "200":
            cause = f"status {status}{_sample(self.bodies.get(stream, b''))}"
        if resend:
            self.resend.append(number)
        else:
            self.causes[number] = cause

    def end_all(self, numbers: Sequence[int], cause: str, resend: bool) -> None:
        """Record the end of the connection for all requests without a complete response."""
        self.open.clear()
        for number in numbers:
            if number not in self.causes and number not in self.resend:
                if resend:
                    self.resend.append(number)
                else:
                    self.causes[number] = cause


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(CHUNK)
    except ssl.SSLEOFError:
        return b""


def _cause(step: str, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"{step}: timeout"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{step}: {text or type(error).__name__}"


def _sample(body: bytes) -> str:
    text = body[:60].decode(errors="replace").strip()
    return f" ({text})" if text else ""
