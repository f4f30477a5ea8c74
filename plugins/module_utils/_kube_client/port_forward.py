# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port-forwards through the API server: one WebSocket for each connection, one thread for all of them.

The caller has an ordinary socket, one half of a pair. The thread moves bytes between the other half and the WebSocket.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import cast

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward_relay import Relay

_JOIN_TIMEOUT = 5  # seconds


class PortForward(socket.socket):
    """A connected socket to a port of a pod."""

    relay: Relay

    @property
    def failure(self) -> ClusterError | None:
        """Return why the connection ended (`refused`, `broken`, `not_found`); None where the pod closed it, or it is open."""
        return self.relay.failure


class RelayThread:
    """The thread that serves all relays. It starts with the first port-forward and ends with the last one."""

    def __init__(self) -> None:
        """Create the object; no thread runs yet."""
        self._lock = threading.Lock()
        self._new: list[Relay] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._waker: socket.socket | None = None

    def add(self, subject: str, remote: socket.socket, received: bytes) -> PortForward:
        """Take over a WebSocket and return the caller's socket.

        Args:
            subject: What messages call the port-forward.
            remote: The WebSocket, after its handshake.
            received: Bytes that were read from `remote` after the handshake's response.
        """
        ours, theirs = socket.socketpair()
        forward = PortForward(fileno=ours.detach())
        relay = forward.relay = Relay(subject, remote, theirs, received)
        with self._lock:
            if self._closing:
                relay.close()
                raise ClusterError("broken", f"{subject}: the connection to the cluster was closed")
            self._new.append(relay)
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
        """End all port-forwards, and wait for the thread."""
        with self._lock:
            self._closing = True
            thread = self._thread
            self._wake()
        if thread is not None:
            thread.join(_JOIN_TIMEOUT)

    def _wake(self) -> None:
        if self._waker is not None:
            with contextlib.suppress(BlockingIOError, OSError):
                self._waker.send(b"\0")

    def _run(self, waker: socket.socket, woken: socket.socket) -> None:
        relays: set[Relay] = set()
        try:
            self._serve(relays, waker, woken)
        except Exception as error:
            self._fail(relays, error)

    def _fail(self, relays: set[Relay], error: Exception) -> None:
        """End all relays after an exception in this thread, so that no reader waits forever."""
        reason = f"this is a bug in meshlab.envoy, please report it: {type(error).__name__}: {error}"
        with self._lock:
            fresh, self._new = self._new, []
            self._thread = self._waker = None
            for relay in (*relays, *fresh):
                relay.failure = relay.failure or ClusterError("broken", f"{relay.subject} was cut: {reason}")
                relay.close()

    def _serve(self, relays: set[Relay], waker: socket.socket, woken: socket.socket) -> None:
        registered: dict[socket.socket, int] = {}
        with waker, woken, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            while True:
                with self._lock:
                    fresh, self._new = self._new, []
                    relays.update(fresh)
                    if self._closing or not relays:
                        self._thread = self._waker = None
                        for relay in relays:
                            relay.close()
                        return
                for relay in fresh:
                    self._move(relay, relays, selector, registered)
                if not relays:
                    continue
                ready: set[Relay] = set()
                for key, _events in selector.select():
                    if key.data is None:
                        woken.recv(4_096)
                    else:
                        ready.add(cast("Relay", key.data))
                for relay in ready:
                    self._move(relay, relays, selector, registered)

    def _move(
        self,
        relay: Relay,
        relays: set[Relay],
        selector: selectors.BaseSelector,
        registered: dict[socket.socket, int],
    ) -> None:
        relay.move()
        sides = (relay.remote, relay.local)
        if relay.is_done:
            for side in sides:
                if registered.pop(side, 0):
                    selector.unregister(side)
            relay.close()
            relays.discard(relay)
            return
        for side, events in zip(sides, relay.awaited_events()):
            previous = registered.get(side, 0)
            if events == previous:
                continue
            if not previous:
                selector.register(side, events, relay)
            elif events:
                selector.modify(side, events, relay)
            else:
                selector.unregister(side)
            registered[side] = events
