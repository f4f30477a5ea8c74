# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the counts of a traffic as the progress of its task, while it flows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import Progress
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import (
    LiveCounts,
    live_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import TrafficSignals
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

INTERVAL = 1.0  # seconds


class LiveLines:
    """Shows the counts of each second.

    Args:
        progress: Receives the text.
        interval: Number of seconds between two texts.
    """

    def __init__(self, progress: Progress, interval: float = INTERVAL) -> None:
        self._progress = progress
        self._interval = interval

    @contextmanager
    def __call__(self, traffic: Traffic) -> Iterator[TrafficSignals]:
        """Yield the signals of a traffic, and show its counts during the block."""
        counts = LiveCounts()
        signals = TrafficSignals(counts)
        signals.end(at_once=False)  # no task extends the traffic
        ended = threading.Event()
        thread = threading.Thread(target=self._show, args=(traffic, counts, ended), daemon=True)
        thread.start()
        try:
            yield signals
        finally:
            ended.set()
            thread.join()

    def _show(self, traffic: Traffic, counts: LiveCounts, ended: threading.Event) -> None:
        whole = sum(phase.duration for phase in traffic.phases) or traffic.duration
        began = last = time.monotonic()
        before = 0
        while not ended.wait(self._interval):
            now, sent = time.monotonic(), counts.sent
            self._progress(
                live_text(traffic.name, counts, now - began, whole, (sent - before) / (now - last))
            )
            last, before = now, sent
