# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An answer of HTTP/1.1 from bytes that arrive in parts, without waiting for them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import (
    HeadError,
    ResponseHead,
    head_end,
    parse_head,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_handshake import (
    SWITCHING_PROTOCOLS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import (
    MAX_HEAD,
    has_body,
    is_chunked,
    stated_length,
    trailers_of,
)

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


class AnswerBytes:
    """The answer to one request."""

    def __init__(self, method: str, kept: int) -> None:
        self._method, self._kept = method, kept
        self._data = b""
        self._head: ResponseHead | None = None
        self._body = b""
        self._size = 0
        self._trailers: Mapping[str, str] = {}
        self._needed = 0  # bytes of data until the answer can be complete
        self.keep_alive = False

    @property
    def has_data(self) -> bool:
        """Whether a part of the answer has arrived."""
        return self._head is not None or bool(self._data)

    @property
    def ends_with_connection(self) -> bool:
        """Whether the end of the connection completes the answer; then it does."""
        if self._head is None or is_chunked(self._head) or stated_length(self._head) is not None:
            return False
        self._size, self._body = len(self._data), self._data[: self._kept]
        return True

    def add(self, data: bytes) -> bool:
        """Add bytes, and return whether the answer is complete. Raises RequestError."""
        self._data = data if not self._data else self._data + data
        if len(self._data) < self._needed:
            return False
        while self._head is None or 100 <= self._head.status < 200:
            if self._head is not None and self._head.status == SWITCHING_PROTOCOLS:
                return True
            if not self._read_head():
                return False
        return self._is_complete(self._head)

    def answer(self) -> Answer:
        """Return the complete answer."""
        if self._head is None:
            raise AssertionError("the head of the answer was not read")
        return Answer(self._head.status, self._head.headers, self._body, self._size, trailers=self._trailers)

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n") + 4
        if end == 3 and (end := head_end(self._data)) < 0:
            if len(self._data) > MAX_HEAD:
                raise RequestError("protocol", f"the answer's headers are longer than {MAX_HEAD} bytes")
            return False
        try:
            self._head = parse_head(self._data[:end])
        except HeadError as error:
            raise RequestError("protocol", str(error)) from None
        self._data = self._data[end:]
        return True

    def _is_complete(self, head: ResponseHead) -> bool:
        self.keep_alive = head.keeps_connection
        if not has_body(self._method, head):
            return self._ends_at(0)
        if is_chunked(head):
            return self._read_chunks()
        length = stated_length(head)
        if length is not None:
            self._needed = length
            if len(self._data) < length:
                return False
            self._size, self._body = length, self._data[: min(length, self._kept)]
            return self._ends_at(length)
        self.keep_alive = False
        return False

    def _ends_at(self, length: int) -> bool:
        if len(self._data) > length:
            self.keep_alive = False  # further bytes would be taken for the next answer
        return True

    def _read_chunks(self) -> bool:
        parts: list[bytes] = []
        position, data = 0, self._data
        while True:
            found = _CHUNK.match(data, position)
            if found is None:
                if b"\r\n" in data[position : position + 200]:
                    raise RequestError("protocol", "a chunk has no size")
                return False
            length, position = int(found[1], 16), found.end()
            if length == 0:
                end = (
                    position + 2
                    if data[position : position + 2] == b"\r\n"
                    else data.find(b"\r\n\r\n", position) + 4
                )
                if end < position + 2 or len(data) < end:
                    return False
                whole = b"".join(parts)
                self._size, self._body = len(whole), whole[: self._kept]
                self._trailers = trailers_of(data[position : end - 2].rstrip(b"\r\n"))
                return self._ends_at(end)
            if len(data) < position + length + 2:
                self._needed = position + length + 2
                return False
            parts.append(data[position : position + length])
            position += length + 2
            if data[position - 2 : position] != b"\r\n":
                raise RequestError("protocol", "a chunk is longer than its size")
