# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a traffic: one thread and one connection for each request at the same time."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Optional

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Client,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import (
    Result,
    Tally,
    add_up,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    ExpectationResult,
    check_expectations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import HttpClient
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.libraries.environment import (
    library_python,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import (
    INTERVAL,
    LiveCounts,
    TallyReports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import (
    CONNECT_PAUSE,
    Schedule,
    TrafficSignals,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.raw_bytes import (
    DatagramClient,
    StreamClient,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.sender_process import (
    send_in_processes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.result_data import ResultData
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.user_client import (
    Turns,
    UserClient,
    resolved_entry,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.websocket_client import WebSocketClient

if TYPE_CHECKING:
    import ssl

RESEND_PAUSE = 0.05  # seconds before a traffic with `within` is sent again


class TrafficResult(ResultData):
    """What came of one traffic, with what came of each of its expectations."""

    expect: list[ExpectationResult]


# Returns the answers by response flag, None where they are unknown.
ReadFlags = Callable[[Result], Optional[Mapping[str, int]]]


def send_traffic(
    traffic: Traffic,
    signals: TrafficSignals | None = None,
    progress: Progress = no_progress,
    read_flags: ReadFlags | None = None,
) -> TrafficResult:
    """Send a traffic and compare the answers with its expectations.

    A traffic with `within` is sent again until its expectations hold or that time is over; the last time counts.

    Args:
        traffic: The requests and the expectations, from traffic_parser.parse_traffic.
        signals: Extends `duration` until the end of a task.
        progress: Receives the expectation for which the traffic is sent again.
        read_flags: Reads the access log of the proxy, for expectations about response flags.

    Returns:
        The counts of the answers, and one entry for each expectation, as plain data. A request that fails is counted in `errors`.

    Raises:
        ArgumentError: A file of the traffic cannot be used.

    Example:
        >>> [traffic] = parse_traffic([{"url": "http://127.0.0.1:1/", "requests": 2}])
        >>> send_traffic(traffic)["errors"]  # nothing listens on port 1
        {'connect': 2}
    """
    if traffic.reads_flags and read_flags is None:
        raise ArgumentError(
            f"{traffic.name}: expect",
            "response_flag is in the access log of a demo's proxy. Use it in the traffic of a demo, or count a header.",
        )
    for _left in attempts(traffic.within or 0.0, first_pause=RESEND_PAUSE, longest_pause=RESEND_PAUSE):
        result = send_once(traffic, signals, progress)
        if traffic.reads_flags and read_flags is not None:
            result.response_flags = read_flags(result)
        outcomes = check_expectations(traffic, result)
        failing = [outcome for outcome in outcomes if not outcome["ok"]]
        if not failing:
            break
        if traffic.within:
            progress(f"sending traffic {traffic.name} again: {failing[0]['message']}")
    return {**result.as_data(), "expect": outcomes}


def send_once(
    traffic: Traffic, signals: TrafficSignals | None = None, progress: Progress = no_progress
) -> Result:
    """Send a traffic once, to its end. Raises ArgumentError for a file that cannot be used."""
    _check_while_file(traffic)
    if traffic.session is not None and traffic.needs_libraries:
        traffic = traffic._replace(entry=resolved_entry(traffic.entry, traffic.session.users[0]))
    if traffic.needs_process:
        python = library_python(progress=progress) if traffic.needs_libraries else sys.executable
        sent = send_in_processes(traffic, python, signals)
        return add_up(
            traffic,
            [one.tally for one in sent],
            max(one.elapsed for one in sent),
            sum(one.connections for one in sent),
            sum(one.retries for one in sent),
            min(one.began for one in sent),
        )
    context = tls_context(traffic)
    senders = min(traffic.concurrency, traffic.requests or traffic.concurrency)
    turns = Turns(traffic)
    clients = [client_for(traffic, context, turns) for _number in range(senders)]
    schedule = Schedule(traffic, signals)
    began = time.time()
    tallies = [Tally(traffic, schedule.counted_from) for _number in range(senders)]
    with _reported(tallies, signals.counts if signals is not None else None):
        _send_at_once(traffic, clients, schedule, tallies)
    turns.close()
    elapsed = time.monotonic() - schedule.started
    connections = sum(client.connections for client in clients)
    retries = sum(client.retries for client in clients)
    return add_up(traffic, tallies, elapsed, connections, retries, began)


@contextmanager
def _reported(tallies: Sequence[Tally], counts: LiveCounts | None) -> Iterator[None]:
    """Report what the tallies have counted, during the block and at its end."""
    if counts is None:
        yield
        return
    reports, ended = TallyReports(tallies), threading.Event()

    def report() -> None:
        while not ended.wait(INTERVAL):
            counts.add(reports.take())

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        counts.add(reports.take())


def _send_at_once(
    traffic: Traffic, clients: Sequence[Client], schedule: Schedule, tallies: Sequence[Tally]
) -> None:
    """Send with all clients at the same time, each in a thread."""
    if len(clients) == 1:
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


def client_for(traffic: Traffic, context: ssl.SSLContext | None, turns: Turns | None = None) -> Client:
    """Return the client for a traffic's protocol.

    To add a protocol, add a class, a branch to this function, and a scheme to target.SCHEMES. `sender` has those with libraries.
    """
    target = traffic.target
    if target.http:
        reads_body = traffic.host_body is not None or any(
            expectation.body is not None for expectation in traffic.expect
        )
        if traffic.needs_users:
            return UserClient(traffic, turns or Turns(traffic), keep_body=reads_body)
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


def _send(traffic: Traffic, client: Client, schedule: Schedule, tally: Tally) -> None:
    """Send requests one after the other until the traffic ends."""
    timeout = traffic.timeout
    try:
        while (due := schedule.wait_for_next()) is not None:
            now, is_counted = time.monotonic(), due >= schedule.counted_from
            started = due if schedule.is_open else now
            try:
                answer = client.exchange(now + timeout)
            except RequestError as failure:
                client.close()
                if is_counted:
                    tally.failure(failure)
                if failure.kind == "connect" and traffic.duration:
                    time.sleep(CONNECT_PAUSE)
            else:
                if is_counted:
                    tally.answer(answer, time.monotonic() - started)
            schedule.request_ended()
    finally:
        client.close()
