# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP/1.1 for load: one thread serves all connections of a process with a selector."""

from __future__ import annotations

import contextlib
import selectors
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    CHUNK,
    RequestError,
    connect,
    connection_error,
    kept_bytes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import session_of
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Sent, Tally
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import request_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.answer_bytes import AnswerBytes
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import (
    CONNECT_PAUSE,
    Schedule,
)

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

LONGEST_WAIT = 0.05  # seconds until signals are looked at
_WANT = ("SSLWantReadError", "SSLWantWriteError")


class _Connection:
    """One connection and its current request."""

    __slots__ = ("answer", "due", "is_used", "session", "socket", "started")

    def __init__(self) -> None:
        self.socket: Any = None
        self.session: Any = None
        self.answer: AnswerBytes | None = None  # None: idle
        self.due = self.started = 0.0
        self.is_used = False  # whether it has served a request


class Http1Engine:
    """Sends the requests of a traffic, and counts their answers."""

    def __init__(
        self, traffic: Traffic, context: ssl.SSLContext | None, schedule: Schedule, tally: Tally
    ) -> None:
        self._traffic, self._context, self._schedule = traffic, context, schedule
        self._request = request_bytes(traffic)
        self._kept = kept_bytes(traffic)
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Connection] = []
        self._size = 0  # connections, idle and busy
        # Open loop: due times of requests for which no connection is free. Closed loop: when a free connection sends its next request.
        self._waiting: deque[float] = deque()
        self._deadlines: deque[tuple[float, _Connection, float]] = deque()
        self._busy = 0
        self._opened = self._retries = 0
        self.tally = tally

    def run(self) -> Sent:
        """Send all requests and return what came of them."""
        schedule, began, next_due = self._schedule, time.time(), None
        if schedule.is_open:
            next_due = schedule.take_next()
        else:
            self._waiting.extend([schedule.started] * self._traffic.concurrency)
        while next_due is not None or self._busy or self._waiting:
            self._begin_waiting()
            now = time.monotonic()
            while next_due is not None and next_due <= now:
                self._begin(next_due)
                next_due = schedule.take_next()
            if schedule.is_stopped:
                break
            due = self._waiting[0] if self._waiting and not schedule.is_open else next_due
            wait = LONGEST_WAIT if due is None else max(0.0, min(LONGEST_WAIT, due - time.monotonic()))
            for key, _events in self._selector.select(wait):
                if key.fileobj is key.data.socket:  # not closed since
                    self._receive(key.data)
                    if self._waiting:
                        self._begin_waiting()
            self._expire()
        elapsed = time.monotonic() - schedule.started
        for connection in [key.data for key in list(self._selector.get_map().values())]:
            self._close(connection)
        self._selector.close()
        return Sent(self.tally, elapsed, self._opened, self._retries, began)

    def _begin_waiting(self) -> None:
        """Begin the waiting requests for which a connection is free."""
        now, most = time.monotonic(), self._traffic.concurrency
        while self._waiting and self._waiting[0] <= now and (self._idle or self._size < most):
            due: float | None = self._waiting.popleft()
            if not self._schedule.is_open:
                due = self._schedule.take_next()
            if due is None:
                self._waiting.clear()
            else:
                self._begin(due)

    def _begin(self, due: float) -> None:
        """Send a request on a free connection, or on a new one, or as soon as one is free."""
        if self._idle:
            connection = self._idle.pop()
        elif self._size < self._traffic.concurrency:
            connection = _Connection()
            self._size += 1
        else:
            self._waiting.append(due)
            return
        self._busy += 1
        connection.due = due
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        connection.started = time.monotonic()
        connection.answer = AnswerBytes(self._traffic.method, self._kept)
        deadline = connection.started + self._traffic.timeout
        try:
            if connection.socket is None:
                opened, _relay = connect(self._traffic, deadline, self._context)
                self._opened += 1
                connection.session = session_of(opened)
                connection.is_used = False
                opened.setblocking(False)
                connection.socket = opened
                self._selector.register(opened, selectors.EVENT_READ, connection)
            self._write(connection, deadline)
        except RequestError as failure:
            self._failed(connection, failure)
            return
        self._deadlines.append((deadline, connection, connection.started))

    def _write(self, connection: _Connection, deadline: float) -> None:
        """Send the whole request. A request that does not fit into the buffers of the kernel is sent with a blocking call."""
        sock = connection.socket
        try:
            sent = sock.send(self._request)
            if sent < len(self._request):
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                sock.sendall(self._request[sent:])
                sock.setblocking(False)
        except OSError as error:
            if connection.is_used:
                self._again(connection)
                return
            raise connection_error(error) from None

    def _again(self, connection: _Connection) -> None:
        """Send the request again, once, because the server had closed the kept connection."""
        self._close(connection)
        self._retries += 1
        self._send(connection)

    def _receive(self, connection: _Connection) -> None:
        try:
            while True:
                data = connection.socket.recv(CHUNK)
                if connection.answer is None:  # the server has closed the connection between two requests
                    self._close(connection)
                    return
                if not data:
                    self._ended(connection)
                    return
                if connection.answer.add(data):
                    self._answered(connection)
                    return
                if len(data) < CHUNK and self._context is None:
                    return
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if type(error).__name__ in _WANT:
                return
            if connection.answer is None:
                self._close(connection)
            elif connection.is_used and not connection.answer.has_data:
                self._again(connection)
            else:
                self._failed(connection, connection_error(error))
        except RequestError as failure:
            self._failed(connection, failure)

    def _ended(self, connection: _Connection) -> None:
        """Process the end of a connection with a request."""
        answer = connection.answer
        if answer is not None and answer.ends_with_connection:
            self._answered(connection)
        elif connection.is_used and answer is not None and not answer.has_data:
            self._again(connection)
        else:
            self._failed(
                connection,
                RequestError("reset", "the server closed the connection before the answer was complete"),
            )

    def _answered(self, connection: _Connection) -> None:
        found = connection.answer
        if found is None:
            raise AssertionError("the connection has no answer")
        if connection.due >= self._schedule.counted_from:
            begin = connection.due if self._schedule.is_open else connection.started
            answer = found.answer()
            if connection.session is not None:
                answer = answer._replace(tls=connection.session)
            self.tally.answer(answer, time.monotonic() - begin)
        connection.is_used = True
        if not found.keep_alive or not self._traffic.reuse:
            self._close(connection)
        self._free(connection)

    def _failed(self, connection: _Connection, failure: RequestError) -> None:
        if connection.due >= self._schedule.counted_from:
            self.tally.failure(failure)
        self._close(connection)
        self._free(connection, CONNECT_PAUSE if failure.kind == "connect" and self._traffic.duration else 0.0)

    def _free(self, connection: _Connection, pause: float = 0.0) -> None:
        """Make a connection free for another request; in a closed loop, after a pause in seconds."""
        self._busy -= 1
        connection.answer = None
        self._schedule.request_ended()
        self._idle.append(connection)
        if not self._schedule.is_open:
            # The times of the queue are in ascending order, except of the connections that need no pause.
            add = self._waiting.append if pause else self._waiting.appendleft
            add(time.monotonic() + pause)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            _deadline, connection, started = self._deadlines.popleft()
            if connection.answer is not None and connection.started == started:
                self._failed(connection, RequestError("timeout", "no complete answer within the timeout"))

    def _close(self, connection: _Connection) -> None:
        if connection.socket is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(connection.socket)
            connection.socket.close()
            connection.socket = None
