# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP/1.1 for counting: one request, its whole answer, kept connections, no redirects."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.body_sample import SAMPLE_BYTES
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import (
    HeadError,
    ResponseHead,
    head_end,
    not_http,
    parse_fields,
    parse_head,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_handshake import (
    SWITCHING_PROTOCOLS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    KeptConnection,
    RequestError,
    first_bytes,
    kept_bytes,
    receive,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    import ssl

MAX_HEAD = 262_144  # bytes
_DEFAULT_FIELDS = (("accept", "*/*"), ("user-agent", "meshlab.envoy"))

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: |\r?\n)")
_DIGITS = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class HttpClient(KeptConnection):
    """A client for http:// and https://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None, keep_body: bool) -> None:
        super().__init__(traffic, context)
        self._kept = kept_bytes(traffic) if keep_body else SAMPLE_BYTES
        self.request = request_bytes(traffic)

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        """Send the request and read its answer."""
        first = first_bytes(connection, self.request, deadline)
        if not first:
            return None
        reader = AnswerReader(connection, deadline, first, self._kept)
        answer = reader.read(self.traffic.method)
        if not reader.keep_alive or not self.traffic.reuse:
            self.close()
        return answer


def request_bytes(traffic: Traffic) -> bytes:
    """Return the request of a traffic; each of its requests has the same bytes."""
    target = traffic.target
    lines = [f"{traffic.method} {target.path} HTTP/1.1", f"host: {traffic.host or target.authority}"]
    lines += [f"{name}: {value}" for name, value in request_fields(traffic)]
    if not traffic.reuse:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + traffic.body


def request_fields(traffic: Traffic) -> list[tuple[str, str]]:
    """Return the header fields of each request of a traffic, with the defaults, and without the host."""
    names = {name for name, _value in traffic.headers}
    fields = [*traffic.headers, *(one for one in _DEFAULT_FIELDS if one[0] not in names)]
    if traffic.body or traffic.method in ("POST", "PUT", "PATCH"):
        fields.append(("content-length", str(len(traffic.body))))
    return fields


def has_body(method: str, head: ResponseHead) -> bool:
    """Return whether the answer to a request with this method has a body (RFC 9112, section 6.3)."""
    return method != "HEAD" and head.status >= 200 and head.status not in (204, 304)


def is_chunked(head: ResponseHead) -> bool:
    """Return whether a body has chunks."""
    return head.headers.get("transfer-encoding", "").lower().endswith("chunked")


def stated_length(head: ResponseHead) -> int | None:
    """Return the stated length of a body without chunks; None: the body ends with the connection. Raises RequestError."""
    length = head.headers.get("content-length")
    if length is None or head.headers.get("transfer-encoding"):
        return None
    lengths = set(length.split(", "))
    if len(lengths) != 1 or not _DIGITS.fullmatch(only := lengths.pop()):
        raise RequestError("protocol", f"content-length {length[:80]!r} is not a length")
    return int(only)


def trailers_of(lines: bytes) -> Mapping[str, str]:
    """Return the trailers in the lines after the last chunk. Raises RequestError."""
    try:
        return parse_fields(lines)
    except HeadError as error:
        raise RequestError("protocol", f"trailers: {error}") from None


class AnswerReader:
    """Reads one whole answer from a connection."""

    def __init__(self, connection: socket.socket, deadline: float, first: bytes, kept: int) -> None:
        self.keep_alive = False
        self._connection = connection
        self._deadline = deadline
        self._buffer = first  # received and not read yet
        self._kept = kept
        self._body = bytearray()
        self._size = 0
        self._trailers: Mapping[str, str] = {}

    def read(self, method: str) -> Answer:
        """Return the answer to a request with this method. Raises RequestError."""
        head = self._read_head()
        while 100 <= head.status < 200 and head.status != SWITCHING_PROTOCOLS:  # the final answer follows
            head = self._read_head()
        self.keep_alive = head.keeps_connection
        self._read_body(method, head)
        if self._buffer or head.status == SWITCHING_PROTOCOLS:
            # Further bytes would be taken for the answer to the next request.
            self.keep_alive = False
        return Answer(head.status, head.headers, bytes(self._body), self._size, trailers=self._trailers)

    @property
    def rest(self) -> bytes:
        """The bytes after the answer: the first ones of the protocol that the connection was upgraded to."""
        return self._buffer

    def _read_head(self) -> ResponseHead:
        end = head_end(self._buffer)
        while end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise RequestError("protocol", f"the answer's headers are longer than {MAX_HEAD} bytes")
            if b"\n" in self._buffer and not _STATUS_LINE.match(self._buffer):
                raise RequestError("protocol", not_http(self._buffer))
            self._buffer += self._receive()
            end = head_end(self._buffer)
        head, self._buffer = self._buffer[:end], self._buffer[end:]
        try:
            return parse_head(head)
        except HeadError as error:
            raise RequestError("protocol", str(error)) from None

    def _read_body(self, method: str, head: ResponseHead) -> None:
        if not has_body(method, head):
            return
        if is_chunked(head):
            self._read_chunks()
        elif (length := stated_length(head)) is None:
            self._read_to_end()
        else:
            self._read_bytes(length)

    def _read_chunks(self) -> None:
        while True:
            line = self._read_line()
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise RequestError("protocol", f"{line[:80]!r} is not the size of a chunk")
            length = int(size[1], 16)
            if length == 0:
                break
            self._read_bytes(length)
            if self._read_line():
                raise RequestError("protocol", "a chunk is longer than its size")
        lines = []
        while line := self._read_line():
            lines.append(line)
        self._trailers = trailers_of(b"\r\n".join(lines))

    def _read_to_end(self) -> None:
        self.keep_alive = False
        self._add_to_body(self._buffer)
        self._buffer = b""
        while data := receive(self._connection, self._deadline):
            self._add_to_body(data)

    def _read_line(self) -> bytes:
        line, found, rest = self._buffer.partition(b"\r\n")
        while not found:
            if len(self._buffer) > MAX_HEAD:
                raise RequestError("protocol", f"a line of the answer is longer than {MAX_HEAD} bytes")
            self._buffer += self._receive()
            line, found, rest = self._buffer.partition(b"\r\n")
        self._buffer = rest
        return line

    def _read_bytes(self, length: int) -> None:
        """Read the next `length` bytes of the body."""
        data = self._buffer
        while len(data) < length:
            self._add_to_body(data)
            length -= len(data)
            data = self._receive()
        self._add_to_body(data[:length])
        self._buffer = data[length:]

    def _add_to_body(self, data: bytes) -> None:
        self._size += len(data)
        room = self._kept - len(self._body)
        if room > 0:
            self._body += data[:room]

    def _receive(self) -> bytes:
        data = receive(self._connection, self._deadline)
        if not data:
            raise RequestError("reset", "the server closed the connection in the middle of its answer")
        return data
