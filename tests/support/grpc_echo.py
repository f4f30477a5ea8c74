# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gRPC server that returns the messages of each call, without descriptors."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import h2.config
import h2.connection
import h2.events

# Of the file: package echo; message Item { string name = 1; int32 count = 2; }
# service Echo { rpc Add(Item) returns (Item); rpc Chat(stream Item) returns (stream Item); }
DESCRIPTOR_SET = base64.b64decode(
    "CpcBCgplY2hvLnByb3RvEgRlY2hvIjAKBEl0ZW0SEgoEbmFtZRgBIAEoCVIEbmFtZRIUCgVjb3VudBgCIAEoBVIFY291bnQySQoERWNobxIdCg"
    "NBZGQSCi5lY2hvLkl0ZW0aCi5lY2hvLkl0ZW0SIgoEQ2hhdBIKLmVjaG8uSXRlbRoKLmVjaG8uSXRlbSgBMAFiBnByb3RvMw=="
)


class _Connection(asyncio.Protocol):
    opened: ClassVar[list[Any]] = []

    def __init__(self) -> None:
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._calls: dict[int, tuple[str, bytearray]] = {}

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        _Connection.opened.append(transport)
        self._h2.initiate_connection()
        transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self._calls[event.stream_id] = (dict(event.headers)[b":path"].decode(), bytearray())
            elif isinstance(event, h2.events.DataReceived):
                self._calls[event.stream_id][1].extend(event.data)
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self._answer(event.stream_id)
        self._transport.write(self._h2.data_to_send())

    def _answer(self, number: int) -> None:
        path, messages = self._calls.pop(number)
        head = [(":status", "200"), ("content-type", "application/grpc+proto"), ("x-served-by", "echo")]
        if not path.endswith(("/Add", "/Chat")):
            self._h2.send_headers(number, [*head, ("grpc-status", "12")], end_stream=True)
            return
        self._h2.send_headers(number, head)
        self._h2.send_data(number, bytes(messages))
        self._h2.send_headers(
            number, [("grpc-status", "0"), ("x-bytes", str(len(messages)))], end_stream=True
        )


@contextmanager
def grpc_echo() -> Iterator[int]:
    """Yield the port of a server on the loopback interface."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(_Connection, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        for transport in _Connection.opened:
            loop.call_soon_threadsafe(transport.abort)
        loop.call_soon_threadsafe(loop.call_soon, loop.stop)  # after the transports have ended
        thread.join()
        loop.close()
