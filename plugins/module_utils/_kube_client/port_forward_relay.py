# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay of one port-forward: it moves bytes between a local socket and the WebSocket to the API server.

The payload of each WebSocket message begins with the number of a channel: 0 carries the port's data, 1 the error text of the
kubelet. The first message of each channel is the port's number. Source: subprotocol v4.channel.k8s.io of Kubernetes.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import websocket_frames
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_READ_SIZE = 65_536
_HIGH_WATER = (
    4 * _READ_SIZE
)  # bytes that wait for a slow reader; further bytes stay in the other socket's buffer
_NORMAL_CLOSURE = 1000  # RFC 6455, section 7.4.1


class Relay:
    """Both sides of one port-forward. `RelayThread` calls `move` when a side is ready; no method blocks."""

    def __init__(self, subject: str, remote: socket.socket, local: socket.socket, received: bytes) -> None:
        """Create a relay.

        Args:
            subject: What messages call the port-forward.
            remote: The WebSocket, after its handshake.
            local: The other half of the socket pair whose first half the caller of `Cluster.forward` has.
            received: Bytes that were read from `remote` after the handshake's response.
        """
        self.subject = subject
        self.failure: ClusterError | None = None  # set before the local side reads the end
        self.remote, self.local = remote, local
        self.inbox = bytearray(received)
        self.to_local, self.to_remote = bytearray(), bytearray()
        self.remote_ended = False  # no further data will come from the pod
        self.local_closed = False  # the caller has closed its side
        self._channels: set[int] = set()  # those whose port number has come
        self._channel = _DATA
        self._error_text = b""
        remote.setblocking(False)
        local.setblocking(False)

    @property
    def is_done(self) -> bool:
        """Return whether both sides can be closed."""
        return self.local_closed or (self.remote_ended and not self.to_local)

    def awaited_events(self) -> tuple[int, int]:
        """Return the selector events to wait for: of the WebSocket, and of the local side."""
        read, write = selectors.EVENT_READ, selectors.EVENT_WRITE
        remote = 0 if self.remote_ended or len(self.to_local) >= _HIGH_WATER else read
        local = 0 if self.remote_ended or len(self.to_remote) >= _HIGH_WATER else read
        return remote | (write if self.to_remote else 0), local | (write if self.to_local else 0)

    def move(self) -> None:
        """Move all bytes that can be moved without waiting."""
        self._read_local()
        self._write_remote()
        self._read_remote()
        self._write_local()
        if self.to_remote:  # a pong
            self._write_remote()

    def close(self) -> None:
        """Close both sides."""
        # A socket that is closed with unread bytes resets its peer, which would read an error in place of an end.
        with contextlib.suppress(OSError):
            while self.local.recv(_READ_SIZE):
                pass
        for side in (self.remote, self.local):
            with contextlib.suppress(OSError):
                side.close()

    def _read_local(self) -> None:
        while not self.remote_ended and not self.local_closed and len(self.to_remote) < _HIGH_WATER:
            try:
                data = self.local.recv(_READ_SIZE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.local_closed = True
                self.to_remote += websocket_frames.frame(
                    websocket_frames.CLOSE, _NORMAL_CLOSURE.to_bytes(2, "big")
                )
                return
            self.to_remote += websocket_frames.frame(websocket_frames.BINARY, bytes([_DATA]) + data)

    def _write_remote(self) -> None:
        while self.to_remote:
            try:
                sent = self.remote.send(self.to_remote)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self.to_remote.clear()
                self._connection_closed(error)
                return
            del self.to_remote[:sent]

    def _read_remote(self) -> None:
        # _READ_SIZE is longer than a TLS record, so OpenSSL never keeps decrypted bytes for which no event comes.
        self._read_frames()
        while not self.remote_ended and len(self.to_local) < _HIGH_WATER:
            try:
                data = self.remote.recv(_READ_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._connection_closed(error)
                return
            if not data:
                self._connection_closed(None)
                return
            self.inbox += data
            self._read_frames()

    def _read_frames(self) -> None:
        try:
            for opcode, payload in websocket_frames.frames(self.inbox):
                self._handle_frame(opcode, payload)
                if self.remote_ended:
                    return
        except ValueError as error:
            self._end(
                ClusterError("broken", f"{self.subject}: the API server sent an invalid frame: {error}")
            )

    def _handle_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket_frames.PING:
            self.to_remote += websocket_frames.frame(websocket_frames.PONG, payload)
        elif opcode == websocket_frames.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NORMAL_CLOSURE
            text = payload[2:].decode("utf-8", "replace")
            cut = ClusterError("broken", f"{self.subject} was cut: {text or f'WebSocket close code {code}'}")
            self._end(None if code == _NORMAL_CLOSURE else cut)
        elif opcode in (websocket_frames.TEXT, websocket_frames.BINARY, websocket_frames.CONTINUATION):
            self._handle_data(payload, is_first=opcode != websocket_frames.CONTINUATION)

    def _handle_data(self, payload: bytes, *, is_first: bool) -> None:
        if is_first and payload:
            self._channel, payload = payload[0], payload[1:]
            if self._channel not in self._channels:  # the payload is the port's number
                self._channels.add(self._channel)
                return
        if self._channel == _DATA:
            self.to_local += payload
        elif self._channel == _ERROR:
            self._error_text = (self._error_text + payload)[:2_000]

    def _connection_closed(self, error: OSError | None) -> None:
        if self.remote_ended:
            return
        reason = f" ({error_text(error)})" if error is not None else ""
        self._end(
            ClusterError("broken", f"{self.subject} was cut: the connection to the API server closed{reason}")
        )

    def _end(self, failure: ClusterError | None) -> None:
        self.remote_ended = True
        text = self._error_text.decode("utf-8", "replace")
        self.failure = kubelet_error(self.subject, text) if text else failure

    def _write_local(self) -> None:
        while self.to_local and not self.local_closed:
            try:
                sent = self.local.send(self.to_local)
            except BlockingIOError:
                return
            except OSError:
                self.local_closed = True
                return
            del self.to_local[:sent]


def kubelet_error(subject: str, text: str) -> ClusterError:
    """Return the error for a text that the kubelet sent on the error channel (as of Kubernetes 1.34).

    Args:
        subject: What messages call the port-forward.
        text: The kubelet's text.
    """
    lower = text.lower()
    if "refused" in lower:
        return ClusterError(
            "refused", f"{subject}: nothing listens on that port inside the pod (connection refused)"
        )
    if any(part in lower for part in ("not running", "not found", "no such container", "no such file")):
        return ClusterError("not_found", f"{subject}: the pod does not run any more")
    return ClusterError("broken", f"{subject}: {' '.join(text.split())[:300]}")
