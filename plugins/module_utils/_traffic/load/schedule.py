# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When each request of a traffic is due, and when the traffic ends."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.arrivals import (
    arrivals,
    evenly,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import LiveCounts
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    MAX_REQUESTS,
    Traffic,
)

MAX_EXTENSION = 600.0  # seconds after `duration` at which a traffic ends although its while_file still exists
CONNECT_PAUSE = 0.01  # seconds after a refused connection, where a duration ends the traffic


class TrafficSignals:
    """Connects a traffic with the task during which it flows, in another thread.

    Attributes:
        begun: Is set when the first request has ended.
        ended: Is set when the task has ended: from then on, the traffic flows to the end of its `duration` only.
        stopped: Is set when the traffic must end with its current request.
        counts: The counts of the traffic so far. None: they are not needed before its end.
    """

    def __init__(self, counts: LiveCounts | None = None) -> None:
        self.counts = counts
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.stopped = threading.Event()

    def end(self, at_once: bool) -> None:
        """Let the traffic end: at once, or after its `duration`."""
        if at_once:
            self.stopped.set()
        self.ended.set()


class Schedule:
    """Decides when the next request is sent. All senders of a traffic share it."""

    def __init__(
        self, traffic: Traffic, signals: TrafficSignals | None = None, share: tuple[int, int] = (0, 1)
    ) -> None:
        """Start now.

        Args:
            traffic: The traffic.
            signals: Extends `duration` until the end of a task.
            share: The number of this process from 0, and the number of processes, among which an open loop is divided.
        """
        self._signals = signals
        self._lock = threading.Lock()
        self._left = traffic.requests or MAX_REQUESTS
        self._offsets = _offsets(traffic, share)
        self.is_open = (
            self._offsets is not None
        )  # whether requests are due at times that answers do not change
        self.started = time.monotonic()
        self.counted_from = self.started + traffic.warm_up
        self._end = self.started + traffic.duration if traffic.duration else None
        self._file = Path(traffic.while_file) if traffic.while_file else None
        self._file_created = False

    def wait_for_next(self) -> float | None:
        """Wait until the next request is due and return that time, from which its latency counts; None where the traffic ends."""
        due = self.take_next()
        if due is None:
            return None
        if (pause := due - time.monotonic()) > 0:
            if self._signals is None:
                time.sleep(pause)
            elif self._signals.stopped.wait(pause):
                return None
        return due

    def take_next(self) -> float | None:
        """Return when the next request is due (of time.monotonic), None where the traffic ends."""
        with self._lock:
            if self._left == 0:
                return None
            due = time.monotonic()
            if self._offsets is not None:
                offset = next(self._offsets, None)
                if offset is None:
                    return None
                due = self.started + offset
            if self._is_over(due):
                return None
            self._left -= 1
        return due

    @property
    def is_stopped(self) -> bool:
        """Whether the traffic must end at once."""
        return self._signals is not None and self._signals.stopped.is_set()

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


def _offsets(traffic: Traffic, share: tuple[int, int]) -> Iterator[float] | None:
    """Return the seconds to each request of this process. None: a closed loop."""
    if traffic.phases:
        times = arrivals(traffic.phases)
    elif traffic.rate:
        times = evenly(traffic.rate)
    else:
        return None
    number, processes = share
    return itertools.islice(times, number, None, processes)
