# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of HTTP/1.1 as asking an admin takes, with a bound on everything that comes back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import LineTooLong, Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

_LONGEST_HEAD = 65_536
_PIECE = 262_144
_LENGTH = re.compile(r"[0-9]{1,20}")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;|\r?\n)")
_ONE_CHUNK = re.compile(
    rb"HTTP/1\.1 ([1-5][0-9]{2}) [^\r\n]*+\r\n((?:[^\r\n]++\r\n)++)\r\n([0-9A-Fa-f]{1,8}+)\r\n"
)
_UNUSUAL = {"content-encoding", "connection"}
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |\r|\n|$)")


@dataclass
class Answer:
    """A whole answer, or its beginning where that was enough."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True
    reusable: bool = False
    travelled: int = 0


Enough = Callable[[bytearray], bool]


async def ask(
    stream: Stream,
    path: str,
    host: str,
    headers: tuple[tuple[str, str], ...],
    limit: int,
    enough: Enough | None = None,
    method: str = "GET",
) -> Answer:
    """Asks for a page on an open stream; the caller bounds the time."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}",
        "accept-encoding: gzip",
        *(["content-length: 0"] if method == "POST" else []),
        *(f"{name}: {value}" for name, value in headers),
    ]
    await stream.send("\r\n".join([*lines, "", ""]).encode("utf-8"))
    if enough is None:
        came = await stream.first()
        whole = _at_once(came, limit)
        if whole is not None:
            stream.skip(len(came))
            return whole
    head = await _head(stream)
    status_line, *fields = head.split(b"\r\n") if b"\r\n" in head else head.split(b"\n")
    status = _STATUS.match(status_line)
    if status is None:
        words = (
            "it speaks TLS; use https://"
            if status_line[:2] in (b"\x15\x03", b"\x16\x03")
            else "the answer is no HTTP"
        )
        raise ScrapeError("unparsable", words)
    answer = Answer(int(status.group(1)), _fields(b"\r\n".join(fields)), b"")
    await _body(stream, answer, limit, enough)
    if (
        not answer.whole
        or answer.headers.get("connection", "").lower() == "close"
        or status_line.startswith(b"HTTP/1.0")
    ):
        answer.reusable = False
    return answer


async def _head(stream: Stream) -> bytes:
    # Something else than HTTP need not have an empty line: its first one tells.
    line = await _line(stream, _LONGEST_HEAD, "too_large", "a line of the answer's head does not end")
    if not line:
        raise EOFError
    if not line.startswith(b"HTTP/"):
        return line
    rest = stream.paragraph(_LONGEST_HEAD)  # mostly all came at once
    if rest:
        return (line + rest).rstrip(b"\r\n")
    head = bytearray(line)
    while line not in (b"\r\n", b"\n"):
        line = await _line(stream, _LONGEST_HEAD, "too_large", "a line of the answer's head does not end")
        if not line:
            raise EOFError
        head += line
        if len(head) > _LONGEST_HEAD:
            raise ScrapeError("too_large", f"the answer's head is longer than {_LONGEST_HEAD} bytes")
    return bytes(head).rstrip(b"\r\n")


async def _line(stream: Stream, longest: int, kind: str, words: str) -> bytes:
    try:
        return await stream.until(b"\n", longest)
    except LineTooLong:
        raise ScrapeError(kind, words) from None


@lru_cache(maxsize=64)  # within a second those of a fleet are the same
def _fields(lines: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for line in lines.split(b"\r\n"):
        name, _colon, value = line.partition(b":")
        headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
    return headers


def _at_once(came: bytes, limit: int) -> Answer | None:
    """An answer that came whole, in one chunk as Envoy sends it: most do of a fleet, and piece by piece takes several times as long."""
    found = _ONE_CHUNK.match(came)
    if found is None:
        return None
    begin, size = found.end(), int(found.group(3), 16)
    headers = _fields(found.group(2).rstrip())
    usual = headers.get("transfer-encoding") == "chunked" and not headers.keys() & _UNUSUAL
    if not usual or size > limit or came[begin + size :] != b"\r\n0\r\n\r\n":
        return None
    return Answer(int(found.group(1)), headers, came[begin : begin + size], reusable=True, travelled=size)


async def _body(stream: Stream, answer: Answer, limit: int, enough: Enough | None) -> None:
    sink = _Sink(answer, limit, enough)
    length = answer.headers.get("content-length", "")
    if answer.headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            said = _CHUNK.match(await _chunk_line(stream))
            if said is None:
                raise ScrapeError("unparsable", "the answer's chunks cannot be read")
            size = int(said.group(1), 16)
            if size == 0:
                while (await _chunk_line(stream)).strip():
                    pass
                break
            if not await _pour(stream, size, sink):
                return
            await _chunk_line(stream)
        answer.reusable = True
    elif length:
        if not _LENGTH.fullmatch(length):
            raise ScrapeError("unparsable", f"the answer says that it is {length[:40]!r} bytes long")
        if int(length) > limit:
            raise ScrapeError("too_large", f"the answer is {length} bytes long; max_bytes is {limit}")
        if not await _pour(stream, int(length), sink):
            return
        answer.reusable = True
    else:
        while piece := await stream.read(_PIECE):
            if not sink.take(piece):
                return
    sink.finish()


async def _chunk_line(stream: Stream) -> bytes:
    line = await _line(stream, 4_096, "unparsable", "the answer's chunks cannot be read")
    if not line.endswith(b"\n"):
        raise ScrapeError("unparsable", "the answer was cut off")
    return line


async def _pour(stream: Stream, size: int, sink: _Sink) -> bool:
    while size:
        piece = await stream.read(min(size, _PIECE))
        if not piece:
            raise ScrapeError("unparsable", "the answer was cut off")
        size -= len(piece)
        if not sink.take(piece):
            return False
    return True


class _Sink:
    """Collects a body within its bound, unpacked."""

    def __init__(self, answer: Answer, limit: int, enough: Enough | None) -> None:
        encoding = answer.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise ScrapeError(
                "unparsable", f"the answer is packed with {encoding[:40]!r}, which was not asked for"
            )
        self._unpack = zlib.decompressobj(31) if encoding != "identity" else None
        self._answer, self._limit, self._enough = answer, limit, enough
        self._body = bytearray()  # a list would take many times as much, where the pieces are small

    def take(self, piece: bytes) -> bool:
        """False when no more is needed."""
        self._answer.travelled += len(piece)
        if self._unpack is not None:
            try:
                # One byte more than allowed is as much as is ever unpacked.
                piece = self._unpack.decompress(piece, self._limit - len(self._body) + 1)
            except zlib.error:
                raise ScrapeError("unparsable", "the answer says that it is gzip, and is not") from None
        self._body += piece
        if len(self._body) > self._limit:
            raise ScrapeError("too_large", f"the answer is longer than max_bytes, {self._limit} bytes")
        if self._enough is not None and self._enough(self._body):
            self._answer.whole = False
            self._answer.body = bytes(self._body)
            return False
        return True

    def finish(self) -> None:
        if self._unpack is not None and not self._unpack.eof:
            raise ScrapeError("unparsable", "the answer's gzip was cut off")
        self._answer.body = bytes(self._body)
