# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the counts of a traffic while it flows, once a second."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.live_counts import (
    LiveCounts,
    live_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import TrafficSignals
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

INTERVAL = 1.0  # seconds
_TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console")
_CLEAR = "\r\x1b[K"  # to the start of the line, and erase it (ECMA-48)


class LiveLines:
    """Prints a line for each second. On a terminal, each line replaces the previous one.

    Args:
        display: Ansible's display.
        on_terminal: Whether the output is a terminal. None: find out.
        interval: Number of seconds between two lines.
    """

    def __init__(self, display: Any, on_terminal: bool | None = None, interval: float = INTERVAL) -> None:
        self._display = display
        self._on_terminal = _prints_to_terminal() if on_terminal is None else on_terminal
        self._interval = interval

    @contextmanager
    def __call__(self, traffic: Traffic) -> Iterator[TrafficSignals]:
        """Yield the signals of a traffic, and print its counts during the block."""
        counts = LiveCounts()
        signals = TrafficSignals(counts)
        signals.end(at_once=False)  # no task extends the traffic
        ended = threading.Event()
        thread = threading.Thread(target=self._print, args=(traffic, counts, ended), daemon=True)
        thread.start()
        try:
            yield signals
        finally:
            ended.set()
            thread.join()
            if self._on_terminal:
                self._display.display(_CLEAR, newline=False)

    def _print(self, traffic: Traffic, counts: LiveCounts, ended: threading.Event) -> None:
        whole = sum(phase.duration for phase in traffic.phases) or traffic.duration
        began = last = time.monotonic()
        before = 0
        while not ended.wait(self._interval):
            now, sent = time.monotonic(), counts.sent
            text = printable(
                live_text(traffic.name, counts, now - began, whole, (sent - before) / (now - last))
            )
            last, before = now, sent
            if self._on_terminal:
                self._display.display(f"{_CLEAR}{text}", newline=False)
            else:
                self._display.display(text)


def _prints_to_terminal() -> bool:
    """Return whether ansible-playbook, the parent of this worker, prints to a terminal. A worker itself has no terminal."""
    try:
        return os.readlink(f"/proc/{os.getppid()}/fd/1").startswith(_TERMINALS)
    except OSError:  # not Linux, or another user's process
        return False
