# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 as far as counting needs it: one request, its whole answer, kept connections, no redirects."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    KEPT,
    Answer,
    KeptConnection,
    RequestError,
    first_bytes,
    receive,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

if TYPE_CHECKING:
    import ssl

MAX_HEAD = 262_144

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_DIGITS = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class HttpClient(KeptConnection):
    """One connection's worth of a traffic over http:// or https://."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None, keep_body: bool) -> None:
        super().__init__(traffic, context)
        self._kept = KEPT if keep_body else 0
        self._request = request_bytes(traffic)

    def attempt(self, connection: socket.socket, deadline: float) -> Answer | None:
        first = first_bytes(connection, self._request, deadline)
        if not first:
            return None
        reader = AnswerReader(connection, deadline, first, self._kept)
        answer = reader.read(self.traffic.method)
        if not reader.keep_alive or not self.traffic.reuse:
            self.close()
        return answer


def request_bytes(traffic: Traffic) -> bytes:
    """The request as it goes over the wire; the same one each time."""
    target = traffic.target
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port != (443 if target.tls else 80):
        host = f"{host}:{target.port}"
    lines = [f"{traffic.method} {target.path} HTTP/1.1", f"host: {traffic.host or host}"]
    names = {name for name, _value in traffic.headers}
    lines += [f"{name}: {value}" for name, value in traffic.headers]
    lines += [
        line
        for name, line in (("accept", "accept: */*"), ("user-agent", "user-agent: meshlab.envoy"))
        if name not in names
    ]
    if traffic.body or traffic.method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(traffic.body)}")
    if not traffic.reuse:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + traffic.body


class AnswerReader:
    """Reads one answer from a connection, completely."""

    def __init__(self, connection: socket.socket, deadline: float, first: bytes, kept: int) -> None:
        self.keep_alive = False
        self._connection = connection
        self._deadline = deadline
        self._buffer = first  # received and not yet used
        self._kept = kept
        self._body = bytearray()
        self._size = 0

    def read(self, method: str) -> Answer:
        version, status, headers = self._head()
        while 100 <= status < 200 and status != 101:  # the answer proper comes after it
            version, status, headers = self._head()
        wishes = headers.get("connection", "").lower()
        self.keep_alive = "close" not in wishes and (version == 1 or "keep-alive" in wishes)
        self._read_body(method, status, headers)
        if self._buffer or status == 101:
            # More than was asked for: what comes next would be taken for another's answer.
            self.keep_alive = False
        return Answer(status, headers, bytes(self._body), self._size)

    @property
    def rest(self) -> bytes:
        """What was received beyond the answer: the first bytes of what it was an upgrade to."""
        return self._buffer

    def _head(self) -> tuple[int, int, dict[str, str]]:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        while not found:
            if len(self._buffer) > MAX_HEAD:
                raise RequestError("protocol", f"the answer's headers are longer than {MAX_HEAD} bytes")
            if not _STATUS_LINE.match(self._buffer) and b"\n" in self._buffer:
                raise _no_answer(self._buffer)
            self._buffer += self._more()
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
        self._buffer = rest
        lines = head.split(b"\r\n")
        status_line = _STATUS_LINE.fullmatch(lines[0])
        if status_line is None:
            raise _no_answer(lines[0])
        headers: dict[str, str] = {}
        for line in lines[1:]:
            key, colon, value = line.partition(b":")
            if not colon:
                raise RequestError("protocol", f"a header line without a colon: {line[:80]!r}")
            name, text = key.decode("latin-1").lower(), value.strip(b" \t").decode("utf-8", "replace")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        return int(status_line[1]), int(status_line[2]), headers

    def _read_body(self, method: str, status: int, headers: dict[str, str]) -> None:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return
        encoding = headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        if encoding.endswith("chunked"):
            self._read_chunks()
        elif encoding:
            self._read_to_end()
        elif length is not None:
            lengths = set(length.split(", "))
            if len(lengths) != 1 or not _DIGITS.fullmatch(length := lengths.pop()):
                raise RequestError(
                    "protocol", f"content-length {headers['content-length'][:80]!r} is no length"
                )
            self._take(int(length))
        else:
            self._read_to_end()

    def _read_chunks(self) -> None:
        while True:
            line = self._line()
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise RequestError("protocol", f"no size of a chunk: {line[:80]!r}")
            length = int(size[1], 16)
            if length == 0:
                break
            self._take(length)
            if self._line():
                raise RequestError("protocol", "a chunk is longer than it said")
        while self._line():  # trailers
            pass

    def _read_to_end(self) -> None:
        self.keep_alive = False
        self._use(self._buffer)
        self._buffer = b""
        while data := receive(self._connection, self._deadline):
            self._use(data)

    def _line(self) -> bytes:
        line, found, rest = self._buffer.partition(b"\r\n")
        while not found:
            if len(self._buffer) > MAX_HEAD:
                raise RequestError("protocol", f"a line of the answer is longer than {MAX_HEAD} bytes")
            self._buffer += self._more()
            line, found, rest = self._buffer.partition(b"\r\n")
        self._buffer = rest
        return line

    def _take(self, length: int) -> None:
        """Uses the next `length` bytes as body."""
        data = self._buffer
        while len(data) < length:
            self._use(data)
            length -= len(data)
            data = self._more()
        self._use(data[:length])
        self._buffer = data[length:]

    def _use(self, data: bytes) -> None:
        self._size += len(data)
        room = self._kept - len(self._body)
        if room > 0:
            self._body += data[:room]

    def _more(self) -> bytes:
        data = receive(self._connection, self._deadline)
        if not data:
            raise RequestError("reset", "the server closed the connection in the middle of its answer")
        return data


def _no_answer(data: bytes) -> RequestError:
    return RequestError("protocol", f"no answer in HTTP/1.1: {data[:80]!r}")
