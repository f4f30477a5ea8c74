# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports of pods, reached through the API server: one WebSocket for each connection, one thread for all of them.

Who uses a connection has an ordinary socket, one half of a pair. The thread carries bytes between the other half and the
WebSocket, whose frames begin with the number of a channel: 0 is the port's data, 1 what the kubelet says went wrong
(subprotocol v4.channel.k8s.io; on each channel the first frame is the port's number).
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from typing import cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common import websocket_frames
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PIECE = 65_536
_ENOUGH = 4 * _PIECE  # so many bytes wait for a slow reader; more stay where they are
_NORMAL = 1000


class Forward(socket.socket):
    """A connection to a port of a pod. When it ends, `line.failure` tells whether that was the pod's doing."""

    line: Line


class Line:
    """One connection, between the pair's other half and the WebSocket."""

    def __init__(self, what: str, remote: socket.socket, local: socket.socket, came: bytes) -> None:
        self.what = what
        self.failure: ClusterError | None = None  # set before the local side sees the end
        self.remote, self.local = remote, local
        self.inbox = bytearray(came)
        self.to_local, self.to_remote = bytearray(), bytearray()
        self.ended = False  # nothing more will come from the pod
        self.left = False  # nobody is there to read it
        self._begun: set[int] = set()
        self._channel = _DATA
        self._said = b""
        remote.setblocking(False)
        local.setblocking(False)

    @property
    def done(self) -> bool:
        """Whether both sides may be closed."""
        return self.left or (self.ended and not self.to_local)

    def wants(self) -> tuple[int, int]:
        """What to wait for, at the WebSocket and at the local side."""
        read, write = selectors.EVENT_READ, selectors.EVENT_WRITE
        remote = (0 if self.ended or len(self.to_local) >= _ENOUGH else read) | (
            write if self.to_remote else 0
        )
        local = (0 if self.ended or len(self.to_remote) >= _ENOUGH else read) | (
            write if self.to_local else 0
        )
        return remote, local

    def move(self) -> None:
        """Carries what can be carried now; never waits."""
        self._from_local()
        self._write_remote()
        self._from_remote()
        self._write_local()
        if self.to_remote:  # an answer to a ping
            self._write_remote()

    def close(self) -> None:
        # What is closed with something unread in it is a reset for the other side, where this is an end like any other.
        with contextlib.suppress(OSError):
            while self.local.recv(_PIECE):
                pass
        for one in (self.remote, self.local):
            with contextlib.suppress(OSError):
                one.close()

    def _from_local(self) -> None:
        while not self.ended and not self.left and len(self.to_remote) < _ENOUGH:
            try:
                data = self.local.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.left = True
                self.to_remote += websocket_frames.frame(websocket_frames.CLOSE, _NORMAL.to_bytes(2, "big"))
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
                self._cut(error)
                return
            del self.to_remote[:sent]

    def _from_remote(self) -> None:
        # A piece is longer than a TLS record, so OpenSSL never holds bytes back that no selector knows of.
        self._read_frames()
        while not self.ended and len(self.to_local) < _ENOUGH:
            try:
                data = self.remote.recv(_PIECE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._cut(error)
                return
            if not data:
                self._cut(None)
                return
            self.inbox += data
            self._read_frames()

    def _read_frames(self) -> None:
        try:
            for opcode, payload in websocket_frames.frames(self.inbox):
                self._frame(opcode, payload)
                if self.ended:
                    return
        except ValueError as error:
            self._end(
                ClusterError("broken", f"{self.what}: the API server sent what is no WebSocket ({error})")
            )

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket_frames.PING:
            self.to_remote += websocket_frames.frame(websocket_frames.PONG, payload)
        elif opcode == websocket_frames.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NORMAL
            words = payload[2:].decode("utf-8", "replace")
            self._end(
                None if code == _NORMAL else ClusterError("broken", f"{self.what} was cut: {words or code}")
            )
        elif opcode in (websocket_frames.TEXT, websocket_frames.BINARY, websocket_frames.CONTINUATION):
            if opcode != websocket_frames.CONTINUATION and payload:
                self._channel, payload = payload[0], payload[1:]
                if self._channel not in self._begun:  # the port's number
                    self._begun.add(self._channel)
                    return
            if self._channel == _DATA:
                self.to_local += payload
            elif self._channel == _ERROR:
                self._said = (self._said + payload)[:2_000]

    def _cut(self, error: OSError | None) -> None:
        if self.ended:
            return
        words = f" ({error.strerror or error})" if error is not None else ""
        self._end(
            ClusterError("broken", f"{self.what} was cut: the connection to the API server closed{words}")
        )

    def _end(self, failure: ClusterError | None) -> None:
        self.ended = True
        self.failure = why(self.what, self._said.decode("utf-8", "replace")) if self._said else failure

    def _write_local(self) -> None:
        while self.to_local and not self.left:
            try:
                sent = self.local.send(self.to_local)
            except BlockingIOError:
                return
            except OSError:
                self.left = True
                return
            del self.to_local[:sent]


def why(what: str, said: str) -> ClusterError:
    """What the kubelet said on the error channel, as a person needs it."""
    lower = said.lower()
    if "refused" in lower:
        return ClusterError(
            "refused", f"{what}: nothing listens on that port inside the pod (connection refused)"
        )
    if (
        "not running" in lower
        or "not found" in lower
        or "no such container" in lower
        or "no such file" in lower
    ):
        return ClusterError("not_found", f"{what}: the pod does not run any more")
    return ClusterError("broken", f"{what}: {' '.join(said.split())[:300]}")


class Pump:
    """The thread that carries bytes for all connections. It is there while there are some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: list[Line] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._waker: socket.socket | None = None

    def add(self, what: str, remote: socket.socket, came: bytes) -> Forward:
        """Takes over a WebSocket; returns the side that its user has."""
        ours, theirs = socket.socketpair()
        forward = Forward(fileno=ours.detach())
        line = forward.line = Line(what, remote, theirs, came)
        with self._lock:
            if self._closing:
                line.close()
                raise ClusterError("broken", f"{what}: the connection to the cluster was closed")
            self._new.append(line)
            if self._thread is None:
                waker, woken = socket.socketpair()
                waker.setblocking(False)
                self._waker = waker
                self._thread = threading.Thread(
                    target=self._run, args=(waker, woken), daemon=True, name="port-forward"
                )
                self._thread.start()
            else:
                self._wake()
        return forward

    def close(self) -> None:
        """Ends all connections, and waits for the thread."""
        with self._lock:
            self._closing = True
            thread = self._thread
            self._wake()
        if thread is not None:
            thread.join(5)

    def _wake(self) -> None:
        if self._waker is not None:
            with contextlib.suppress(BlockingIOError, OSError):
                self._waker.send(b"\0")

    def _run(self, waker: socket.socket, woken: socket.socket) -> None:
        lines: set[Line] = set()
        try:
            self._carry(lines, waker, woken)
        except Exception as error:
            self._give_up(lines, error)

    def _give_up(self, lines: set[Line], error: Exception) -> None:
        """End all connections, so that nobody waits for what nobody carries any more."""
        why = f"a mistake in meshlab.envoy, please report it: {type(error).__name__}: {error}"
        with self._lock:
            fresh, self._new = self._new, []
            self._thread = self._waker = None
            for line in (*lines, *fresh):
                line.failure = line.failure or ClusterError("broken", f"{line.what} was cut: {why}")
                line.close()

    def _carry(self, lines: set[Line], waker: socket.socket, woken: socket.socket) -> None:
        watched: dict[socket.socket, int] = {}
        with waker, woken, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            while True:
                with self._lock:
                    fresh, self._new = self._new, []
                    lines.update(fresh)
                    if self._closing or not lines:
                        self._thread = self._waker = None
                        for line in lines:
                            line.close()
                        return
                for line in fresh:
                    self._move(line, lines, selector, watched)
                if not lines:
                    continue
                ready: set[Line] = set()
                for key, _events in selector.select():
                    if key.data is None:
                        woken.recv(4_096)
                    else:
                        ready.add(cast("Line", key.data))
                for line in ready:
                    self._move(line, lines, selector, watched)

    def _move(
        self,
        line: Line,
        lines: set[Line],
        selector: selectors.BaseSelector,
        watched: dict[socket.socket, int],
    ) -> None:
        line.move()
        if line.done:
            for side in (line.remote, line.local):
                if watched.pop(side, 0):
                    selector.unregister(side)
            line.close()
            lines.discard(line)
            return
        for side, events in zip((line.remote, line.local), line.wants(), strict=True):
            before = watched.get(side, 0)
            if events == before:
                continue
            if not before:
                selector.register(side, events, line)
            elif events:
                selector.modify(side, events, line)
            else:
                selector.unregister(side)
            watched[side] = events
