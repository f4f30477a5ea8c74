# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the head of an HTTP/1 response: the status line and the header fields (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Union

# Bytes. Envoy's own limit for request headers is 60 KiB (max_request_headers_kb); a head that is longer is refused.
MAX_HEAD_BYTES = 65_536

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
# An empty line; RFC 9112, 2.2 lets a recipient accept a bare LF.
_EMPTY_LINE = re.compile(rb"(?<![^\n])\r?\n")
_LINE_END = re.compile(rb"\r?\n")

_Bytes = Union[bytes, bytearray]  # evaluated on Python 3.9


class HeadError(ValueError):
    """The bytes are not the head of an HTTP/1 response. The message has the reason."""


class RepeatedField(str):
    """The values of a header field that occurs several times, joined with a comma and a space (RFC 9110, section 5.3).

    Attributes:
        values: The value of each line.
    """

    values: tuple[str, ...]

    def __new__(cls, *values: str) -> RepeatedField:
        """Return the joined values."""
        field = super().__new__(cls, ", ".join(values))
        field.values = values
        return field


def field_values(field: str) -> tuple[str, ...]:
    r"""Return the value of each line of a header field.

    Example:
        >>> field_values(parse_head(b"HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\n\r\n").headers["a"])
        ('1', '2')
    """
    return field.values if isinstance(field, RepeatedField) else (field,)


class ResponseHead(NamedTuple):
    """The head of an HTTP/1 response."""

    minor_version: int
    """0 for HTTP/1.0, 1 for HTTP/1.1."""
    status: int
    headers: Mapping[str, str]
    """Values by name in lower case. A field that occurs several times is a `RepeatedField`."""

    @property
    def keeps_connection(self) -> bool:
        """Return whether the server leaves the connection open after this response (RFC 9112, 9.3)."""
        options = self.headers.get("connection", "").lower()
        return "close" not in options and (self.minor_version == 1 or "keep-alive" in options)


def head_end(data: _Bytes, start: int = 0) -> int:
    """Return the index after the empty line that ends the head in `data`, or -1 while that line is missing."""
    found = _EMPTY_LINE.search(data, start)
    return found.end() if found else -1


def parse_head(head: _Bytes) -> ResponseHead:
    r"""Parse a head.

    Args:
        head: The bytes up to the body, with or without the empty line at their end.

    Raises:
        HeadError: The status line is not that of HTTP/1.0 or HTTP/1.1, or a line has no colon.

    Example:
        >>> parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").headers["content-length"]
        '5'
    """
    status_line, end, fields = bytes(head).partition(b"\n")
    if end and status_line.endswith(b"\r"):
        status_line = status_line[:-1]
    found = _STATUS_LINE.fullmatch(status_line)
    if found is None:
        raise HeadError(not_http(status_line))
    return ResponseHead(int(found[1]), int(found[2]), parse_fields(fields.rstrip(b"\r\n")))


def not_http(start: _Bytes) -> str:
    """Return why a response that begins with `start` is not HTTP/1."""
    if bytes(start[:2]) in (b"\x15\x03", b"\x16\x03"):
        return "the server uses TLS; use https:// instead of http://"
    return f"the response is not HTTP/1: it begins with {bytes(start[:60])!r}"


@lru_cache(maxsize=64)  # the endpoints of a fleet send equal fields within one second
def parse_fields(lines: bytes) -> Mapping[str, str]:
    """Return the header fields in `lines`, by name in lower case. Raises HeadError."""
    headers: dict[str, str] = {}
    for line in _LINE_END.split(lines) if lines else ():
        name, colon, value = line.partition(b":")
        if not colon:
            raise HeadError(f"a header line has no colon: {line[:80]!r}")
        key, text = name.strip().decode("latin-1").lower(), value.strip(b" \t").decode("utf-8", "replace")
        headers[key] = RepeatedField(*field_values(headers[key]), text) if key in headers else text
    return headers
