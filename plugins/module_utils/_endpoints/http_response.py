# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one HTTP/1.1 request over a stream and read the response, within a limit on its size."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import (
    MAX_HEAD_BYTES,
    HeadError,
    not_http,
    parse_fields,
    parse_head,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import (
    LineTooLong,
    Stream,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

_READ_BYTES = 262_144
_MAX_CHUNK_LINE_BYTES = 4_096
_LENGTH = re.compile(r"[0-9]{1,20}")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;|\r?\n)")
_ONE_CHUNK = re.compile(
    rb"HTTP/1\.1 ([1-9][0-9]{2}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)+)\r\n([0-9A-Fa-f]{1,8})\r\n"
)
_NOT_ON_FAST_PATH = {"content-encoding", "connection"}
_GZIP_WINDOW_BITS = 31  # zlib: 15 bits of window, plus 16 for the gzip format


@dataclass
class HttpResponse:
    """A response; `body` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True
    """False if `stop_when` ended the reading before the end of the body."""
    reusable: bool = False
    """Whether another request can follow on the same stream."""
    transferred: int = 0
    """Bytes of the body as received, before decompression."""


StopWhen = Callable[[bytearray], bool]


async def send_request(
    stream: Stream,
    path: str,
    host: str,
    headers: tuple[tuple[str, str], ...],
    max_bytes: int,
    stop_when: StopWhen | None = None,
    method: str = "GET",
) -> HttpResponse:
    """Send a request without a body and return the response, whatever its status.

    The caller limits the time.

    Args:
        stream: Where the request goes. No other request may be pending on it.
        path: The request target: path and query.
        host: The value of the `host` header.
        headers: More header fields, as pairs of name and value.
        max_bytes: Limit for the body in bytes, after decompression.
        stop_when: Called with the body after each part of it arrives; reading ends when it returns true.
        method: The method, in capitals.

    Raises:
        ScrapeError: The response is not HTTP/1, is cut off (kind `unparsable`), or is too large (kind `too_large`).
        EOFError: The stream ended before the first byte of the response.
        OSError: The stream failed.
    """
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}",
        "accept-encoding: gzip",
        *(["content-length: 0"] if method == "POST" else []),
        *(f"{name}: {value}" for name, value in headers),
    ]
    await stream.send("\r\n".join([*lines, "", ""]).encode("utf-8"))
    try:
        if stop_when is None:
            received = await stream.first()
            response = _single_chunk_response(received, max_bytes)
            if response is not None:
                stream.skip(len(received))
                return response
        head = parse_head(await _read_head(stream))
    except HeadError as error:
        raise ScrapeError("unparsable", str(error)) from None
    response = HttpResponse(head.status, head.headers, b"")
    await _read_body(stream, response, max_bytes, stop_when)
    if not response.complete or not head.keeps_connection:
        response.reusable = False
    return response


async def _read_head(stream: Stream) -> bytes:
    # A response that is not HTTP may have no empty line: its first line is enough to refuse it.
    line = await _read_head_line(stream)
    if not line.startswith(b"HTTP/"):
        raise HeadError(not_http(line))
    rest = stream.paragraph(MAX_HEAD_BYTES)  # mostly, the whole head has arrived
    if rest:
        return line + rest
    head = bytearray(line)
    while line not in (b"\r\n", b"\n"):
        line = await _read_head_line(stream)
        head += line
        if len(head) > MAX_HEAD_BYTES:
            raise _head_too_large()
    return bytes(head)


async def _read_head_line(stream: Stream) -> bytes:
    try:
        line = await stream.until(b"\n", MAX_HEAD_BYTES)
    except LineTooLong:
        raise _head_too_large() from None
    if not line:
        raise EOFError
    return line


def _head_too_large() -> ScrapeError:
    return ScrapeError("too_large", f"the head of the response is longer than {MAX_HEAD_BYTES} bytes")


def _single_chunk_response(received: bytes, max_bytes: int) -> HttpResponse | None:
    """Return the response if it arrived as a whole and in one chunk.

    Envoy's admin sends most responses so, and reading them piece by piece takes several times as long.
    """
    found = _ONE_CHUNK.match(received)
    if found is None:
        return None
    begin, size = found.end(), int(found.group(3), 16)
    headers = parse_fields(found.group(2).rstrip(b"\r\n"))
    usual = headers.get("transfer-encoding") == "chunked" and not headers.keys() & _NOT_ON_FAST_PATH
    if not usual or size > max_bytes or received[begin + size :] != b"\r\n0\r\n\r\n":
        return None
    body = received[begin : begin + size]
    return HttpResponse(int(found.group(1)), headers, body, reusable=True, transferred=size)


async def _read_body(
    stream: Stream, response: HttpResponse, max_bytes: int, stop_when: StopWhen | None
) -> None:
    body = _Body(response, max_bytes, stop_when)
    length = response.headers.get("content-length", "")
    if response.headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            found = _CHUNK_SIZE.match(await _read_chunk_line(stream))
            if found is None:
                raise ScrapeError("unparsable", "a chunk of the response has no size")
            size = int(found.group(1), 16)
            if size == 0:
                while (await _read_chunk_line(stream)).strip():
                    pass
                break
            if not await _read_part(stream, size, body):
                return
            await _read_chunk_line(stream)
        response.reusable = True
    elif length:
        if not _LENGTH.fullmatch(length):
            raise ScrapeError(
                "unparsable", f"content-length of the response is not a number: {length[:40]!r}"
            )
        if int(length) > max_bytes:
            raise ScrapeError(
                "too_large", f"the response has {length} bytes, more than max_bytes ({max_bytes})"
            )
        if not await _read_part(stream, int(length), body):
            return
        response.reusable = True
    else:
        while part := await stream.read(_READ_BYTES):
            if not body.add(part):
                return
    body.finish()


async def _read_chunk_line(stream: Stream) -> bytes:
    try:
        line = await stream.until(b"\n", _MAX_CHUNK_LINE_BYTES)
    except LineTooLong:
        raise ScrapeError("unparsable", "a chunk of the response has no size") from None
    if not line.endswith(b"\n"):
        raise _cut_off()
    return line


async def _read_part(stream: Stream, size: int, body: _Body) -> bool:
    """Read `size` bytes of the body; return False if no more of it is needed."""
    while size:
        part = await stream.read(min(size, _READ_BYTES))
        if not part:
            raise _cut_off()
        size -= len(part)
        if not body.add(part):
            return False
    return True


def _cut_off() -> ScrapeError:
    return ScrapeError("unparsable", "the response is cut off")


class _Body:
    """Collects a body, decompressed and within its limit."""

    def __init__(self, response: HttpResponse, max_bytes: int, stop_when: StopWhen | None) -> None:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise ScrapeError(
                "unparsable",
                f"the response is compressed with {encoding[:40]!r}; only gzip was offered to the server",
            )
        self._decompress = zlib.decompressobj(_GZIP_WINDOW_BITS) if encoding != "identity" else None
        self._response, self._max_bytes, self._stop_when = response, max_bytes, stop_when
        self._received = bytearray()  # a list of small parts takes many times as much memory

    def add(self, part: bytes) -> bool:
        """Add a part; return False if no more is needed."""
        self._response.transferred += len(part)
        if self._decompress is not None:
            try:
                # No more than one byte over the limit is ever decompressed.
                part = self._decompress.decompress(part, self._max_bytes - len(self._received) + 1)
            except zlib.error:
                raise ScrapeError("unparsable", "the response is labelled gzip but is not gzip") from None
            if self._decompress.unused_data:
                # zlib would keep these bytes, and copy all of them for each part that follows.
                raise ScrapeError("unparsable", "the response continues after the end of its gzip data")
        self._received += part
        if len(self._received) > self._max_bytes:
            raise ScrapeError("too_large", f"the response has more than max_bytes ({self._max_bytes}) bytes")
        if self._stop_when is not None and self._stop_when(self._received):
            self._response.complete = False
            self._response.body = bytes(self._received)
            return False
        return True

    def finish(self) -> None:
        """Check that the decompression is complete, and store the body."""
        if self._decompress is not None and not self._decompress.eof:
            raise ScrapeError("unparsable", "the gzip data of the response is cut off")
        self._response.body = bytes(self._received)
