# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of HTTP/2 or HTTP/3: requests at the same time on one connection, in asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._common.async_timeout import time_limit
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
    kept_bytes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import request_fields

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

Headers = Sequence[tuple[str, str]]
# Header fields that belong to a connection of HTTP/1.1 (RFC 9113, section 8.2.2).
_CONNECTION_FIELDS = ("connection", "keep-alive", "proxy-connection", "upgrade", "te")


class ConnectionLost(RequestError):
    """A connection that ended before the first part of an answer, so that the request can be sent again."""

    def __init__(self, text: str) -> None:
        super().__init__("reset", text)


class Stream:
    """The answer to one request, as its parts arrive."""

    def __init__(self, kept: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = bytearray()
        self.size = 0
        self._kept = kept

    def add_headers(self, fields: Headers) -> None:
        """Add the headers of the answer; those after the first ones are trailers. Informational answers are ignored."""
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        if self.status is not None:
            self.trailers = _joined(fields)
            return
        status = pseudo.get(":status", "")
        if not status.isdecimal():
            self.fail(RequestError("protocol", "the answer has no status"))
        elif int(status) >= 200:
            self.status, self.headers = int(status), _joined(fields)

    def add_data(self, data: bytes) -> None:
        """Add a part of the body."""
        self.size += len(data)
        room = self._kept - len(self.body)
        if room > 0:
            self.body += data[:room]

    def end(self) -> None:
        """Complete the answer."""
        if not self.done.done():
            if self.status is None:
                self.fail(RequestError("protocol", "the stream ended without an answer"))
            else:
                self.done.set_result(None)

    def fail(self, error: RequestError) -> None:
        """End without a complete answer."""
        if not self.done.done():
            self.done.set_exception(error)

    def answer(self, tls: Session | None) -> Answer:
        """Return the complete answer."""
        return Answer(self.status, self.headers, bytes(self.body), self.size, tls=tls, trailers=self.trailers)


class Connection(Protocol):
    """An open connection of one protocol."""

    usable: bool  # whether it takes further requests
    session: Session | None

    async def send(self, headers: Headers, body: bytes, stream: Stream) -> None:
        """Send one request; its answer arrives in the stream. Raises RequestError."""

    def cancel(self, stream: Stream) -> None:
        """Reset the stream of a request that is not waited for any more."""

    def close(self) -> None:
        """Close the connection."""


class MultiplexedClient:
    """Sends requests over one connection, and opens another one where it has ended."""

    def __init__(self, traffic: Traffic) -> None:
        self.connections = 0
        self.retries = 0
        self.traffic = traffic
        self._headers = request_headers(traffic)
        self._kept = kept_bytes(traffic)
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> Connection:
        """Open a connection. Raises RequestError."""
        raise NotImplementedError

    def new_stream(self) -> Stream:
        """Return the receiver of an answer."""
        return Stream(self._kept)

    async def exchange(self, deadline: float) -> Answer:
        """Send one request and return its answer, which has to be complete by `deadline`. Raises RequestError."""
        try:
            async with time_limit(deadline - time.monotonic()):
                return await self._exchange()
        except (TimeoutError, asyncio.TimeoutError):
            raise RequestError("timeout", "no complete answer within the timeout") from None
        except OSError as error:
            raise RequestError("connect", f"cannot connect: {error_text(error)}") from None

    async def _exchange(self) -> Answer:
        connection, is_kept = await self._connect()
        try:
            return await self._exchange_on(connection)
        except ConnectionLost:
            if not is_kept:
                raise
        self.retries += 1
        connection, _is_kept = await self._connect()
        return await self._exchange_on(connection)

    async def _connect(self) -> tuple[Connection, bool]:
        """Return a connection, and whether it has served a request."""
        if not self.traffic.reuse:
            self.connections += 1
            return await self.open(), False
        async with self._opening:
            if self._connection is not None and self._connection.usable:
                return self._connection, True
            self._connection = await self.open()
            self.connections += 1
            return self._connection, False

    async def _exchange_on(self, connection: Connection) -> Answer:
        stream = self.new_stream()
        try:
            await connection.send(self._headers, self.traffic.body, stream)
            await stream.done
        except asyncio.CancelledError:
            connection.cancel(stream)
            raise
        finally:
            if not self.traffic.reuse:
                connection.close()
            if stream.done.done() and not stream.done.cancelled():
                stream.done.exception()  # retrieved, so that asyncio does not log it
        return stream.answer(connection.session)

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def request_headers(traffic: Traffic) -> list[tuple[str, str]]:
    """Return the header fields of each request of a traffic, pseudo-header fields first (RFC 9113, section 8.3.1)."""
    target = traffic.target
    return [
        (":method", traffic.method),
        (":scheme", target.scheme),
        (":authority", traffic.host or target.authority),
        (":path", target.path),
        *((name, value) for name, value in request_fields(traffic) if name not in _CONNECTION_FIELDS),
    ]


def _joined(fields: Headers) -> dict[str, str]:
    """Return header fields by name; the values of a repeated one are joined as in HTTP/1.1."""
    found: dict[str, str] = {}
    for name, value in fields:
        if not name.startswith(":"):
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found
