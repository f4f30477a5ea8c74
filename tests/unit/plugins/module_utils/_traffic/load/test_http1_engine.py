# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the client of HTTP/1.1 for load, with a server that refuses connections."""

from __future__ import annotations

import socket
import threading
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Tally
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.http1_engine import Http1Engine
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import Schedule
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

CLOSED = "http://127.0.0.1:1/"
MANY = 3000  # more than Python's limit of nested calls


def send(url: str, **keys: Any) -> Tally:
    """Send a traffic and return what was counted."""
    [traffic] = parse_traffic([{"url": url, **keys}])
    schedule = Schedule(traffic)
    return Http1Engine(traffic, None, schedule, Tally(traffic, schedule.counted_from)).run().tally


def test_all_requests_of_a_closed_loop_are_refused() -> None:
    tally = send(CLOSED, requests=MANY, concurrency=4)
    assert (tally.sent, dict(tally.errors)) == (MANY, {"connect": MANY})


def test_refused_connections_of_a_duration_pause() -> None:
    tally = send(CLOSED, duration=0.2, concurrency=2)
    # 0.01 s after each refused connection.
    assert 2 < tally.errors["connect"] <= 2 * 21


def test_waiting_requests_are_refused_with_their_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        timer = threading.Timer(0.5, server.close)
        timer.start()
        tally = send(url, requests=MANY, rate=20_000, concurrency=1)
        timer.join()
    assert tally.sent == MANY
    assert tally.errors["connect"] == MANY - 1
