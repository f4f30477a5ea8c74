# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a traffic: one thread and one connection for each request at the same time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Client,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import (
    Result,
    ResultData,
    Tally,
    add_up,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    ExpectationResult,
    check_expectations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import HttpClient
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.raw_bytes import (
    DatagramClient,
    StreamClient,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    MAX_REQUESTS,
    Traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.websocket_client import WebSocketClient

if TYPE_CHECKING:
    import ssl

MAX_EXTENSION = 600.0  # seconds after `duration` at which a traffic ends although its while_file still exists
RESEND_PAUSE = 0.05  # seconds before a traffic with `within` is sent again
CONNECT_PAUSE = 0.01  # seconds after a refused connection, where a duration ends the traffic


class TrafficResult(ResultData):
    """What came of one traffic, with what came of each of its expectations."""

    expect: list[ExpectationResult]


class TrafficSignals:
    """Connects a traffic with the task during which it flows, in another thread.

    Attributes:
        begun: Is set when the first request has ended.
        ended: Is set when the task has ended: from then on, the traffic flows to the end of its `duration` only.
        stopped: Is set when the traffic must end with its current request.
    """

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.stopped = threading.Event()

    def end(self, at_once: bool) -> None:
        """Let the traffic end: at once, or after its `duration`."""
        if at_once:
            self.stopped.set()
        self.ended.set()


def send_traffic(traffic: Traffic, signals: TrafficSignals | None = None) -> TrafficResult:
    """Send a traffic and compare the answers with its expectations.

    A traffic with `within` is sent again until its expectations hold or that time is over; the last time counts.

    Args:
        traffic: The requests and the expectations, from traffic_parser.parse_traffic.
        signals: Extends `duration` until the end of a task.

    Returns:
        The counts of the answers, and one entry for each expectation, as plain data. A request that fails is counted in `errors`.

    Raises:
        ArgumentError: A file of the traffic cannot be used.

    Example:
        >>> [traffic] = parse_traffic([{"url": "http://127.0.0.1:1/", "requests": 2}])
        >>> send_traffic(traffic)["errors"]  # nothing listens on port 1
        {'connect': 2}
    """
    for _left in attempts(traffic.within or 0.0, first_pause=RESEND_PAUSE, longest_pause=RESEND_PAUSE):
        result = send_once(traffic, signals)
        outcomes = check_expectations(traffic, result)
        if all(outcome["ok"] for outcome in outcomes):
            break
    return {**result.as_data(), "expect": outcomes}


def send_once(traffic: Traffic, signals: TrafficSignals | None = None) -> Result:
    """Send a traffic once, to its end. Raises ArgumentError for a file that cannot be used."""
    _check_while_file(traffic)
    context = tls_context(traffic)
    senders = min(traffic.concurrency, traffic.requests or traffic.concurrency)
    clients = [client_for(traffic, context) for _number in range(senders)]
    schedule = Schedule(traffic, signals)
    began, started = time.time(), time.monotonic()
    tallies = [Tally(traffic, started) for _number in range(senders)]
    if senders == 1:
        _send(traffic, clients[0], schedule, tallies[0])
    else:
        threads = [
            threading.Thread(target=_send, args=(traffic, client, schedule, tallies[number]), daemon=True)
            for number, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elapsed = time.monotonic() - started
    connections = sum(client.connections for client in clients)
    retries = sum(client.retries for client in clients)
    return add_up(traffic, tallies, elapsed, connections, retries, began)


def client_for(traffic: Traffic, context: ssl.SSLContext | None) -> Client:
    """Return the client for a traffic's protocol.

    To add a protocol, add a class, a branch to this function, and a scheme to target.SCHEMES.
    """
    target = traffic.target
    if target.http:
        reads_body = traffic.host_body is not None or any(
            expectation.body is not None for expectation in traffic.expect
        )
        return HttpClient(traffic, context, keep_body=reads_body)
    if target.websocket:
        return WebSocketClient(traffic, context)
    if target.scheme in ("tcp", "tls"):
        return StreamClient(traffic, context)
    return DatagramClient(traffic)


def _check_while_file(traffic: Traffic) -> None:
    if traffic.while_file is None:
        return
    where, folder = f"{traffic.name}: while_file", os.path.dirname(os.path.abspath(traffic.while_file))
    if os.path.exists(traffic.while_file):
        raise ArgumentError(where, f"{traffic.while_file} exists already. Remove it, or use another path.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ArgumentError(
            where, f"{traffic.while_file} cannot be created, because {folder} is not a writable folder."
        )


class Schedule:
    """Decides when the next request is sent. All senders of a traffic share it."""

    def __init__(self, traffic: Traffic, signals: TrafficSignals | None = None) -> None:
        self._signals = signals
        self._lock = threading.Lock()
        self._left = traffic.requests or MAX_REQUESTS
        self._interval = 1 / traffic.rate if traffic.rate else 0.0
        self._due = time.monotonic()
        self._end = self._due + traffic.duration if traffic.duration else None
        self._file = Path(traffic.while_file) if traffic.while_file else None
        self._file_created = False

    def wait_for_next(self) -> bool:
        """Wait until the next request is due; return False where the traffic ends."""
        with self._lock:
            now = time.monotonic()
            due = max(self._due, now)  # requests that a slow server delayed are not sent as a burst
            if self._left == 0 or self._is_over(due):
                return False
            self._left -= 1
            self._due = due + self._interval
        if due > now:
            if self._signals is None:
                time.sleep(due - now)
            else:
                return not self._signals.stopped.wait(due - now)
        return True

    def request_ended(self) -> None:
        """Create the while_file after the first request, and set its signal."""
        if self._signals is not None:
            self._signals.begun.set()
        if self._file is None or self._file_created:
            return
        with self._lock:
            if not self._file_created:
                self._file_created = True
                self._file.touch()

    def _is_over(self, due: float) -> bool:
        if self._signals is not None and self._signals.stopped.is_set():
            return True
        if self._end is None or due < self._end:
            return False
        if self._signals is not None and not self._signals.ended.is_set():
            return due >= self._end + MAX_EXTENSION
        return self._file is None or due >= self._end + MAX_EXTENSION or not self._file.exists()


def _send(traffic: Traffic, client: Client, schedule: Schedule, tally: Tally) -> None:
    """Send requests one after the other until the traffic ends."""
    timeout = traffic.timeout
    try:
        while schedule.wait_for_next():
            started = time.monotonic()
            try:
                answer = client.exchange(started + timeout)
            except RequestError as failure:
                client.close()
                tally.failure(failure)
                if failure.kind == "connect" and traffic.duration:
                    time.sleep(CONNECT_PAUSE)
            else:
                tally.answer(answer, time.monotonic() - started)
            schedule.request_ended()
    finally:
        client.close()
