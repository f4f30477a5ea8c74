# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The counts of a traffic while it flows: requests, failures and quantiles so far, from all of its senders."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Tally

INTERVAL = 0.5  # seconds between two reports of a sender
_BITS = 7  # of a latency in microseconds that are kept, so that its error is below 1.6 %
_SERVER_ERROR = 500


class News(TypedDict):
    """What a sender has counted since its previous report."""

    sent: int
    failed: int
    latencies: dict[str, int]  # number of answers by latency in microseconds


class LiveCounts:
    """The sum of the reports of all senders. Any thread can use it."""

    def __init__(self) -> None:
        self.sent = self.failed = 0
        self._latencies: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, news: News) -> None:
        """Add the report of a sender."""
        with self._lock:
            self.sent += news["sent"]
            self.failed += news["failed"]
            for latency, number in news["latencies"].items():
                self._latencies[int(latency)] += number

    def quantile(self, quantile: float) -> float | None:
        """Return the latency in milliseconds that this share of the answers did not exceed. None: there is no answer yet."""
        with self._lock:
            counts = sorted(self._latencies.items())
        left = math.ceil(quantile * sum(number for _latency, number in counts))
        for latency, number in counts:
            left -= number
            if left <= 0:
                return latency / 1000
        return None


class TallyReports:
    """Makes the reports of a sender from its tallies, which other threads change meanwhile."""

    def __init__(self, tallies: Sequence[Tally]) -> None:
        self._tallies = tallies
        self._read = [0] * len(tallies)  # latencies of each tally that are reported
        self._sent = self._failed = 0

    def take(self) -> News:
        """Return what was counted since the previous call."""
        latencies: Counter[str] = Counter()
        for position, tally in enumerate(self._tallies):
            found = tally.latencies[self._read[position] :]
            self._read[position] += len(found)
            latencies.update(_bucket(seconds) for seconds in found)
        sent, failed = sum(one.sent for one in self._tallies), sum(map(_failures, self._tallies))
        news: News = {
            "sent": sent - self._sent,
            "failed": failed - self._failed,
            "latencies": dict(latencies),
        }
        self._sent, self._failed = sent, failed
        return news


def live_text(name: str, counts: LiveCounts, seconds: float, whole: float | None, rate: float) -> str:
    """Return the line about a traffic that flows, which fits on a terminal with 80 columns.

    Args:
        name: Name of the traffic.
        counts: Its counts so far.
        seconds: Seconds since its start.
        whole: Seconds that it takes. None: unknown.
        rate: Requests of the last second.

    Example:
        >>> live_text("load", LiveCounts(), 3, 30, 499.8)
        'load 3 of 30 s: 500/s, 0 of 0 failed'
    """
    of = f" of {whole:.0f}" if whole else ""
    text = f"{name} {seconds:.0f}{of} s: {rate:.0f}/s, {counts.failed} of {counts.sent} failed"
    p50, p99 = counts.quantile(0.5), counts.quantile(0.99)
    return text if p50 is None or p99 is None else f"{text}, p50 {p50:.1f}, p99 {p99:.1f} ms"


def _failures(tally: Tally) -> int:
    """Return the requests without an answer, and those with a gRPC status other than OK, or with a status of the class 5xx."""
    # A copy of the items is one step of the interpreter, so no other thread changes the counter meanwhile.
    calls = list(tally.grpc_statuses.items())
    refused: int = sum(number for name, number in calls if name != "OK")
    if not calls:
        refused = sum(number for status, number in list(tally.statuses.items()) if status >= _SERVER_ERROR)
    return refused + sum(number for _kind, number in list(tally.errors.items()))


def _bucket(seconds: float) -> str:
    latency = round(seconds * 1_000_000)
    shift = max(0, latency.bit_length() - _BITS)
    return str(latency >> shift << shift)
