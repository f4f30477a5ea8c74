# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP/2 with the library h2: with TLS and ALPN, or in plain text with prior knowledge (RFC 9113, section 3.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import connect_unix
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import RequestError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import (
    HTTP2_ALPN,
    Session,
    session_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.multiplexed_client import (
    Connection,
    ConnectionLost,
    Headers,
    MultiplexedClient,
    Stream,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import Target

try:
    import h2.config
    import h2.connection
    import h2.errors
    import h2.events
    import h2.exceptions
    import h2.settings
except ImportError:  # outside the environment of the sender
    h2 = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

WINDOW = 16 * 1_048_576  # bytes that a server can send before it waits
CONNECT_TIMEOUT = 60.0


class Http2Client(MultiplexedClient):
    """A client of HTTP/2."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        super().__init__(traffic)
        self._context = context

    async def open(self) -> Connection:
        """Open a connection. Raises RequestError."""
        traffic, target = self.traffic, self.traffic.target
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if self._context is not None:
            options = {"ssl": self._context, "server_hostname": traffic.server_name or target.host}
        try:
            if traffic.unix_socket is not None:
                options["sock"] = await loop.run_in_executor(
                    None, connect_unix, traffic.unix_socket, CONNECT_TIMEOUT
                )
            else:
                options |= {"host": target.host, "port": target.port}
            _transport, protocol = await loop.create_connection(Http2Connection, **options)
        except OSError as error:
            raise _connect_error(error, traffic.unix_socket, target) from None
        chosen = protocol.session.alpn if protocol.session is not None else HTTP2_ALPN
        if chosen != HTTP2_ALPN:
            protocol.close()
            raise RequestError(
                "protocol", f"the server chose {chosen or 'no protocol'} with ALPN, and not h2"
            )
        return protocol


class Http2Connection(asyncio.Protocol):
    """One connection. h2 does the framing; this class moves bytes and waits for flow control."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.usable = True
        self.session: Session | None = None
        self._h2 = h2.connection.H2Connection(config)
        self._streams: dict[int, Stream] = {}
        self._transport: Any = None
        self._changed = asyncio.Event()  # set when the peer has opened a window or ended a stream

    def connection_made(self, transport: Any) -> None:
        """Send the preface and the settings."""
        self._transport = transport
        encrypted = transport.get_extra_info("ssl_object")
        self.session = session_of(encrypted) if encrypted is not None else None
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Process frames."""
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self._end(RequestError("protocol", f"the server does not speak HTTP/2: {error}"))
            self._flush()
            self.close()
            return
        for event in events:
            self._process(event)
        self._changed.set()
        self._flush()

    def _process(self, event: Any) -> None:
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, h2.events.ConnectionTerminated):
            self.usable = False
            # Streams up to the last one of GOAWAY still get their answers.
            for number in [one for one in self._streams if one > (event.last_stream_id or 0)]:
                self._streams.pop(number).fail(ConnectionLost("the server closed the connection (GOAWAY)"))
        elif isinstance(event, h2.events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream is not None:
                stream.add_data(event.data)
        elif stream is None:
            return
        elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            stream.add_headers([(str(name), str(value)) for name, value in event.headers])
        elif isinstance(event, h2.events.StreamEnded):
            self._streams.pop(event.stream_id).end()
        elif isinstance(event, h2.events.StreamReset):
            found = self._streams.pop(event.stream_id)
            name = getattr(event.error_code, "name", event.error_code)
            if event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM:
                found.fail(ConnectionLost(f"the server reset the stream ({name})"))
            else:
                found.fail(RequestError("reset", f"the server reset the stream ({name})"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End all streams."""
        reason = f": {error_text(exc)}" if isinstance(exc, OSError) else ""
        self._end(None, f"the server closed the connection before it answered{reason}")

    def _end(self, error: RequestError | None, text: str = "") -> None:
        self.usable = False
        for stream in self._streams.values():
            if error is None and stream.status is None:
                stream.fail(ConnectionLost(text))
            else:
                stream.fail(error or RequestError("reset", "the connection ended in the middle of an answer"))
        self._streams.clear()
        self._changed.set()

    async def send(self, headers: Headers, body: bytes, stream: Stream) -> None:
        """Send one request. Raises RequestError."""
        while (
            self.usable and self._h2.open_outbound_streams >= self._h2.remote_settings.max_concurrent_streams
        ):
            await self._wait()
        if not self.usable:
            raise ConnectionLost("the server closed the connection")
        number = self._h2.get_next_available_stream_id()
        self._streams[number] = stream
        self._h2.send_headers(number, list(headers), end_stream=not body)
        self._flush()
        sent = 0
        while sent < len(body) and number in self._streams:
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0:
                await self._wait()
                continue
            part = body[sent : sent + room]
            sent += len(part)
            self._h2.send_data(number, part, end_stream=sent == len(body))
            self._flush()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def cancel(self, stream: Stream) -> None:
        """Reset the stream of a request that is not waited for any more."""
        for number in [number for number, one in self._streams.items() if one is stream]:
            del self._streams[number]
            if self.usable:
                self._h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
                self._flush()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None and not self._transport.is_closing():
            if self.usable:
                self._h2.close_connection()
                self._flush()
            self._transport.close()
        self.usable = False

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)


def _connect_error(error: OSError, unix_socket: str | None, target: Target) -> RequestError:
    peer = unix_socket or f"{target.host}:{target.port}"
    # The module ssl is imported only with TLS.
    if type(error).__name__ in ("SSLError", "SSLCertVerificationError", "SSLEOFError") or (
        target.tls and isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
    ):
        return RequestError("tls", f"no TLS handshake with {peer}: {error_text(error)}")
    return RequestError("connect", f"cannot connect to {peer}: {error_text(error)}")
