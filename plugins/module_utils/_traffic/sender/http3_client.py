# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP/3 with the library aioquic."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import RequestError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.multiplexed_client import (
    Connection,
    ConnectionLost,
    Headers,
    MultiplexedClient,
    Stream,
)

try:
    from aioquic.asyncio.protocol import QuicConnectionProtocol  # type: ignore[import-not-found,unused-ignore]
    from aioquic.h3.connection import H3_ALPN, H3Connection  # type: ignore[import-not-found,unused-ignore]
    from aioquic.h3.events import DataReceived, HeadersReceived  # type: ignore[import-not-found,unused-ignore]
    from aioquic.quic.configuration import QuicConfiguration  # type: ignore[import-not-found,unused-ignore]
    from aioquic.quic.connection import QuicConnection  # type: ignore[import-not-found,unused-ignore]
    from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, StreamReset  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # outside the environment of the sender
    QuicConnectionProtocol = object

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

WINDOW = 16 * 1_048_576  # bytes that a server can send before it waits
REQUEST_CANCELLED = 0x10C  # H3_REQUEST_CANCELLED, RFC 9114, section 8.1
REQUEST_REJECTED = 0x10B
# QUIC's transport error codes of TLS alerts (RFC 9001, section 4.8).
_TLS_ALERTS = range(0x100, 0x200)


class Http3Client(MultiplexedClient):
    """A client of HTTP/3."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(traffic)
        self._configuration = configuration(traffic)

    async def open(self) -> Connection:
        """Open a connection. Raises RequestError."""
        target, loop = self.traffic.target, asyncio.get_running_loop()
        peer = f"{target.host}:{target.port}"
        try:
            _transport, protocol = await loop.create_datagram_endpoint(
                lambda: Http3Connection(QuicConnection(configuration=self._configuration)),
                remote_addr=(target.host, target.port),
            )
        except OSError as error:
            raise RequestError("connect", f"cannot send to {peer}: {error_text(error)}") from None
        try:
            await protocol.handshake(peer)
        except BaseException:
            protocol.close()
            raise
        return protocol


class Http3Connection(QuicConnectionProtocol):  # type: ignore[misc,unused-ignore]
    """One connection. aioquic does QUIC and HTTP/3; this class passes the parts of answers to their streams."""

    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        self.usable = True
        self.session: Session | None = None
        self._http: H3Connection | None = None
        self._streams: dict[int, Stream] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._peer = ""

    async def handshake(self, peer: str) -> None:
        """Wait until both sides have negotiated TLS and HTTP/3. Raises RequestError."""
        self._peer = peer
        self.connect(self._transport.get_extra_info("peername"))
        await self._ready

    def error_received(self, exc: Exception) -> None:
        """End the connection: the host of the server has reported that nothing listens."""
        if isinstance(exc, ConnectionRefusedError):
            self._end(RequestError("connect", f"cannot connect to {self._peer}: {error_text(exc)}"))

    def quic_event_received(self, event: Any) -> None:
        """Process an event of QUIC."""
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
            suite = getattr(getattr(self._quic.tls, "key_schedule", None), "cipher_suite", None)
            self.session = Session(
                "TLSv1.3", f"TLS_{suite.name}" if suite is not None else "", event.alpn_protocol or ""
            )
            if not self._ready.done():
                self._ready.set_result(None)
        elif isinstance(event, StreamReset):
            if (stream := self._streams.pop(event.stream_id, None)) is not None:
                kind = ConnectionLost if event.error_code == REQUEST_REJECTED else None
                text = f"the server reset the stream (code {event.error_code:#x})"
                stream.fail(kind(text) if kind else RequestError("reset", text))
        elif isinstance(event, ConnectionTerminated):
            code, reason = event.error_code, event.reason_phrase
            if code in _TLS_ALERTS:
                self._end(RequestError("tls", f"no TLS handshake with {self._peer}: {reason}"))
            else:
                self._end(None, f"the connection ended: {reason or f'code {code:#x}'}")
        if self._http is not None:
            for found in self._http.handle_event(event):
                self._process(found)

    def _process(self, event: Any) -> None:
        stream = self._streams.get(getattr(event, "stream_id", -1))
        if stream is None:
            return
        if isinstance(event, HeadersReceived):
            stream.add_headers([(name.decode(), value.decode("latin-1")) for name, value in event.headers])
        elif isinstance(event, DataReceived):
            stream.add_data(event.data)
        if getattr(event, "stream_ended", False):
            self._streams.pop(event.stream_id).end()

    def _end(self, error: RequestError | None, text: str = "") -> None:
        self.usable = False
        if not self._ready.done():
            self._ready.set_exception(error or RequestError("connect", text))
        for stream in self._streams.values():
            if error is None and stream.status is None:
                stream.fail(ConnectionLost(text))
            else:
                stream.fail(error or RequestError("reset", text))
        self._streams.clear()

    async def send(self, headers: Headers, body: bytes, stream: Stream) -> None:
        """Send one request. Raises RequestError."""
        if not self.usable or self._http is None:
            raise ConnectionLost("the server closed the connection")
        number = self._quic.get_next_available_stream_id()
        self._streams[number] = stream
        fields = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        self._http.send_headers(number, fields, end_stream=not body)
        if body:
            self._http.send_data(number, body, end_stream=True)
        self.transmit()

    def cancel(self, stream: Stream) -> None:
        """Reset the stream of a request that is not waited for any more."""
        for number in [number for number, one in self._streams.items() if one is stream]:
            del self._streams[number]
            if self.usable:
                self._quic.stop_stream(number, REQUEST_CANCELLED)
                self.transmit()

    def close(self, error_code: int = 0x100, reason_phrase: str = "") -> None:
        """Close the connection, without an error (H3_NO_ERROR)."""
        self.usable = False
        super().close(error_code, reason_phrase)
        self._transport.close()


def configuration(traffic: Traffic) -> QuicConfiguration:
    """Return the configuration of QUIC for a traffic. Raises ArgumentError for a file that cannot be used."""
    found = QuicConfiguration(
        is_client=True,
        alpn_protocols=H3_ALPN,
        server_name=traffic.server_name or traffic.target.host,
        max_data=WINDOW,
        max_stream_data=WINDOW,
        idle_timeout=max(60.0, traffic.timeout),
    )
    found.verify_mode = ssl.CERT_REQUIRED
    ca = traffic.ca or ssl.get_default_verify_paths().cafile
    try:
        found.load_verify_locations(cafile=os.path.expanduser(ca) if ca else None)
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"{traffic.name}: ca", f"{ca} does not contain CA certificates in PEM: {error}."
        ) from None
    pair = traffic.client_certificate
    if pair is not None:
        try:
            found.load_cert_chain(os.path.expanduser(pair.certificate), os.path.expanduser(pair.key))
        except (OSError, ValueError, TypeError) as error:
            raise ArgumentError(
                f"{traffic.name}: client_certificate",
                f"{pair.certificate} and {pair.key} cannot be used: {error}.",
            ) from None
    return found
