# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The counts of a traffic while it flows, as threads and as a process of a sender report them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Tally
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import (
    LiveCounts,
    TallyReports,
    live_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import TrafficSignals
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def traffic(**keys: Any) -> Any:
    return parse_traffic([{"url": "http://127.0.0.1:1/", **keys}])[0]


def test_reports_add_up_to_the_tallies() -> None:
    tallies = [Tally(traffic()), Tally(traffic())]
    reports, counts = TallyReports(tallies), LiveCounts()
    for milliseconds in range(1, 101):
        tallies[milliseconds % 2].answer(Answer(503 if milliseconds > 98 else 404, {}), milliseconds / 1000)
        if milliseconds == 50:
            counts.add(reports.take())
    tallies[0].failure(RequestError("reset", "x"))
    counts.add(reports.take())
    assert reports.take() == {"sent": 0, "failed": 0, "latencies": {}}
    assert (counts.sent, counts.failed) == (101, 3)
    assert counts.quantile(0.5) == pytest.approx(50, rel=0.016)
    assert counts.quantile(0.99) == pytest.approx(99, rel=0.016)


def test_calls_with_another_status_than_ok_failed() -> None:
    tally = Tally(traffic())
    for status in ("OK", "OK", "UNAVAILABLE"):
        tally.answer(Answer(503 if status != "OK" else 200, {}, grpc_status=status), 0.1)
    assert TallyReports([tally]).take()["failed"] == 1


def test_line_has_quantiles_after_the_first_answer() -> None:
    counts = LiveCounts()
    assert live_text("load", counts, 1, None, 0) == "load 1 s: 0/s, 0 of 0 failed"
    counts.add({"sent": 2, "failed": 1, "latencies": {"1000": 1}})
    assert live_text("load", counts, 2.1, 30, 2.2) == (
        "load 2 of 30 s: 2/s, 1 of 2 failed, p50 1.0, p99 1.0 ms"
    )


@pytest.mark.parametrize("keys", [{"requests": 5}, {"requests": 5, "concurrency": 2}])
def test_threads_report_their_counts(keys: dict[str, Any]) -> None:
    signals = TrafficSignals(LiveCounts())
    send_traffic(traffic(**keys), signals)
    assert signals.counts is not None
    assert (signals.counts.sent, signals.counts.failed) == (5, 5)


def test_process_reports_its_counts_while_it_sends() -> None:
    class Counts(LiveCounts):
        def add(self, news: Any) -> None:
            super().add(news)
            if self.sent:
                signals.end(at_once=True)
                reported.set()

    reported = threading.Event()
    signals = TrafficSignals(Counts())
    # The traffic ends when it has reported, and not before.
    result = send_traffic(traffic(duration=600, rate=100, processes=2, concurrency=2), signals)
    assert reported.is_set()
    assert 0 < result["sent"] < 60_000


def test_line_of_a_long_load_fits_on_a_terminal() -> None:
    counts = LiveCounts()
    counts.add({"sent": 999_999, "failed": 12_345, "latencies": {"1234000": 1}})
    line = live_text("load", counts, 1799, 1800, 9999)
    # With the name of a demo, and the seconds of the task.
    assert len(f"front_proxy: {line} [1799 s]") <= 100
    assert (
        len(f"front_proxy: {live_text('load', LiveCounts(), 12, 30, 500)}, p50 1.7, p99 98.7 ms [12 s]") <= 80
    )
