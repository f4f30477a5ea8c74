# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams and connectors that unit tests use in place of a connection to Envoy."""

from __future__ import annotations

import socket

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector

NO_STATS = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{"stats":[]}\r\n0\r\n\r\n'


class FakeStream(Stream):
    """Answers each request with the next response, and records the requests."""

    def __init__(self, *responses: bytes) -> None:
        super().__init__(socket.socket())
        self.requests: list[bytes] = []
        self._responses = list(responses)

    @property
    def paths(self) -> list[str]:
        return [request.split()[1].decode() for request in self.requests]

    async def send(self, data: bytes) -> None:
        self.requests.append(data)

    async def receive(self) -> bytes:
        """Return the next response; the last one is repeated."""
        if len(self._responses) > 1:
            return self._responses.pop(0)
        return self._responses[0] if self._responses else b""


class FakeConnector(Connector):
    """Opens these streams, one for each connection."""

    def __init__(self, *streams: Stream) -> None:
        super().__init__()
        self._streams = list(streams)

    async def open(self, endpoint: Endpoint) -> Stream:
        return self._streams.pop(0)
