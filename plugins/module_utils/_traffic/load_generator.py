# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a traffic: one thread and one connection for each request that may be under way at a time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Client,
    RequestError,
    tls_context,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Result, Tally, summarise
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import judge
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import HttpClient
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.raw_bytes import (
    DatagramClient,
    StreamClient,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import TrafficError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    MAX_REQUESTS,
    Traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.websocket_client import WebSocketClient

if TYPE_CHECKING:
    import ssl

MAX_LONGER = 600.0  # seconds that a file that nobody removes keeps a traffic going after its duration
AGAIN = 0.05  # seconds to wait before a traffic is sent again
BREATH = 0.01  # seconds to wait for a server that is not there, where time and not a number ends the traffic


def run(traffic: Traffic) -> dict[str, Any]:
    """Sends a traffic and judges it: its result as plain data, verdicts included.

    One whose expectations may come true `within` some seconds is sent again until they do; the last time counts.
    """
    end = time.monotonic() + (traffic.within or 0.0)
    while True:
        result = send(traffic)
        verdicts = judge(traffic, result)
        if all(verdict["ok"] for verdict in verdicts) or time.monotonic() >= end:
            return {**result.as_dict(), "expect": verdicts}
        time.sleep(AGAIN)


def send(traffic: Traffic) -> Result:
    """Sends a traffic to its end; what goes wrong with a request is counted, never raised.

    Raises TrafficError for a file that cannot be used.
    """
    _check_while_file(traffic)
    context = tls_context(traffic)
    senders = min(traffic.concurrency, traffic.requests or traffic.concurrency)
    clients = [client_for(traffic, context) for _number in range(senders)]
    tallies = [Tally(traffic) for _number in range(senders)]
    tickets = Tickets(traffic)
    started = time.monotonic()
    if senders == 1:
        _work(traffic, clients[0], tickets, tallies[0])
    else:
        threads = [
            threading.Thread(target=_work, args=(traffic, client, tickets, tally), daemon=True)
            for client, tally in zip(clients, tallies, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elapsed = time.monotonic() - started
    connections = sum(client.connections for client in clients)
    retries = sum(client.retries for client in clients)
    return summarise(traffic, tallies, elapsed, connections, retries)


def client_for(traffic: Traffic, context: ssl.SSLContext | None) -> Client:
    """The client for a traffic's protocol. A new one is a class, a line here, and a scheme in spec.py."""
    scheme = traffic.target.scheme
    if scheme in ("http", "https"):
        looked_into = traffic.host_body is not None or any(
            expectation.body is not None for expectation in traffic.expect
        )
        return HttpClient(traffic, context, keep_body=looked_into)
    if scheme in ("ws", "wss"):
        return WebSocketClient(traffic, context)
    if scheme in ("tcp", "tls"):
        return StreamClient(traffic, context)
    return DatagramClient(traffic)


def _check_while_file(traffic: Traffic) -> None:
    if traffic.while_file is None:
        return
    folder = os.path.dirname(os.path.abspath(traffic.while_file))
    if not os.access(folder, os.W_OK | os.X_OK) or os.path.exists(traffic.while_file):
        words = (
            "is there already"
            if os.path.exists(traffic.while_file)
            else f"cannot be made: {folder} is no folder to write to"
        )
        raise TrafficError(f"while_file: {traffic.while_file} {words}")


class Tickets:
    """Hands out the right to send one request, and when; shared by all senders of a traffic."""

    def __init__(self, traffic: Traffic) -> None:
        self._lock = threading.Lock()
        self._left = traffic.requests or MAX_REQUESTS
        self._interval = 1 / traffic.rate if traffic.rate else 0.0
        self._due = time.monotonic()
        self._end = self._due + traffic.duration if traffic.duration else None
        self._file = Path(traffic.while_file) if traffic.while_file else None
        self._flows = False

    def take(self) -> bool:
        """Waits until the next request is due; False where no more are to be sent."""
        with self._lock:
            now = time.monotonic()
            due = max(self._due, now)  # what a slow server held up is not made up for by a burst
            if self._left == 0 or self._over(due):
                return False
            self._left -= 1
            self._due = due + self._interval
        if due > now:
            time.sleep(due - now)
        return True

    def used(self) -> None:
        """Says, once, that the outcome of a request is known."""
        if self._file is None or self._flows:
            return
        with self._lock:
            if not self._flows:
                self._flows = True
                self._file.touch()

    def _over(self, due: float) -> bool:
        if self._end is None or due < self._end:
            return False
        return self._file is None or due >= self._end + MAX_LONGER or not self._file.exists()


def _work(traffic: Traffic, client: Client, tickets: Tickets, tally: Tally) -> None:
    timeout = traffic.timeout
    try:
        while tickets.take():
            started = time.monotonic()
            try:
                answer = client.exchange(started + timeout)
            except RequestError as failure:
                client.close()
                tally.failure(failure)
                if failure.kind == "connect" and traffic.duration:
                    time.sleep(BREATH)
            else:
                tally.answer(answer, time.monotonic() - started)
            tickets.used()
    finally:
        client.close()
