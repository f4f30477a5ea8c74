# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rounds of a live view: one reading for all viewers, and the reasons to stop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import LiveDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_state import LiveState, live_state
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.recent_changes import RecentSnapshots

MOST_POINTS = 300  # of the chart of requests
GONE_AFTER = 30.0  # seconds without an answer of any Envoy, where no record shows that the demo was removed
# Reasons to stop.
REMOVED, IDLE, DURATION, REDEPLOYED, INTERRUPTED = "removed", "idle", "duration", "redeployed", "interrupted"


class Reader(Protocol):
    """Reads a demo."""

    def read(self) -> Reading:
        """Return the readings of all Envoys, and the record of their deployment."""

    def deployment(self) -> str | None:
        """Return the record of the deployment only."""


@dataclass(frozen=True)
class Limits:
    """When a live view stops by itself, and how often it reads, in seconds."""

    interval: float = 2.0
    idle_timeout: float = 300.0
    duration: float = 14_400.0


@dataclass(frozen=True)
class Facts:
    """What the decision to stop depends on. Times are those of one monotonic clock."""

    began: float
    now: float
    viewer_left: float | None
    """When the last viewer left, or when the view began; None while there are viewers."""
    answered: float
    """When an Envoy answered the last time."""
    deployed_before: str | None
    deployed_now: str | None


def stop_reason(facts: Facts, limits: Limits) -> str:
    """Return why a live view stops now; empty if it does not."""
    if facts.deployed_before is not None and facts.deployed_now is None:
        return REMOVED
    if facts.deployed_now and facts.deployed_now != facts.deployed_before:
        return REDEPLOYED
    if facts.deployed_now is None and facts.now - facts.answered >= GONE_AFTER:
        return REMOVED
    if facts.now - facts.began >= limits.duration:
        return DURATION
    if facts.viewer_left is not None and facts.now - facts.viewer_left >= limits.idle_timeout:
        return IDLE
    return ""


@dataclass(frozen=True)
class Round:
    """The state of the demo after one reading.

    Attributes:
        number: 1 for the first reading.
        state: The state.
        history: Time, requests and failures per second of the last rounds.
    """

    number: int
    state: LiveState
    history: tuple[tuple[float, float, float], ...]


class WatchRounds:
    """Reads a demo in rounds while it has viewers. Viewers wait for rounds in threads of their own; each reading is for all of them.

    Args:
        demo: The demo.
        reader: Reads the demo, in the thread that calls `run`.
        limits: When to read and when to stop.
        on_round: Called with each round, in the thread that calls `run`. It counts as a viewer.
    """

    def __init__(
        self, demo: LiveDemo, reader: Reader, limits: Limits, on_round: Callable[[Round], None] | None = None
    ) -> None:
        self.demo = demo
        self.end = ""
        """Why the view stopped; empty while it runs."""
        self._reader, self._limits, self._on_round = reader, limits, on_round
        self._changed = threading.Condition()
        self._viewers = 0
        self._newest: Round | None = None
        self._recent = RecentSnapshots()
        self._history: deque[tuple[float, float, float]] = deque(maxlen=MOST_POINTS)
        self._began = self._left = self._answered = self._read = time.monotonic()
        self._deployed: str | None = None
        self._interrupted = False

    def first(self) -> Round:
        """Read the demo for the first time, and return the round, without a call of `on_round`."""
        reading = self._reader.read()
        self._deployed = reading.deployment
        return self._add(reading)

    def run(self) -> str:
        """Read the demo again and again, after `first`, and return the reason to stop."""
        if self._on_round is not None:
            self._on_round(self.newest())
        while True:
            with self._changed:
                self._changed.wait_for(self._must_continue, self._limits.interval)
                watched = self._is_watched
            if self._interrupted:
                return self._stop(INTERRUPTED)
            reading = self._reader.read() if watched else Reading(None, self._reader.deployment())
            found = self._add(reading)
            if self._on_round is not None:
                self._on_round(found)
            reason = stop_reason(self._facts(reading), self._limits)
            if reason:
                return self._stop(reason)

    def interrupt(self) -> None:
        """Make `run` return. A handler of a signal can call it."""
        self._interrupted = True
        with self._changed:
            self._changed.notify_all()

    def wait_for_viewers_to_leave(self, timeout: float) -> None:
        """Wait until each viewer has been sent the reason of the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._viewers == 0, timeout)

    def _stop(self, reason: str) -> str:
        with self._changed:
            self.end = reason
            self._changed.notify_all()
        return reason

    def join(self) -> None:
        """Count one more viewer. The first one after a pause makes the view read at once."""
        with self._changed:
            self._viewers += 1
            self._changed.notify_all()

    def leave(self) -> None:
        """Count one viewer less."""
        with self._changed:
            self._viewers -= 1
            self._left = time.monotonic()
            self._changed.notify_all()

    def newest(self) -> Round:
        """Return the newest round."""
        if self._newest is None:
            raise RuntimeError("call first() before newest()")
        return self._newest

    def next_after(self, number: int, timeout: float) -> Round | None:
        """Return the newest round after one of this number; None if there is none within the timeout, or if the view stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self.end or self.newest().number > number, timeout)
            newest = self.newest()
        return newest if newest.number > number and not self.end else None

    @property
    def _is_watched(self) -> bool:
        return self._viewers > 0 or self._on_round is not None

    def _must_continue(self) -> bool:
        """Return whether the view was interrupted, or a viewer waits for a reading that is older than the interval."""
        return self._interrupted or (
            self._viewers > 0 and time.monotonic() - self._read >= self._limits.interval
        )

    def _facts(self, reading: Reading) -> Facts:
        with self._changed:
            left = None if self._is_watched else self._left
        now = time.monotonic()
        if reading.snapshot is None:
            self._answered = now  # no Envoy was read
        return Facts(self._began, now, left, self._answered, self._deployed, reading.deployment)

    def _add(self, reading: Reading) -> Round:
        if reading.snapshot is None:
            return self.newest()
        self._read = time.monotonic()
        self._recent.add(reading.snapshot)
        state = live_state(self.demo.topology, self.demo.groups, self._recent)
        if any(not one["failure"] for one in state["envoys"]):
            self._answered = time.monotonic()
        if state["rate"] is not None:
            self._history.append((state["time"], state["rate"], state["failed_rate"] or 0.0))
        number = self._newest.number + 1 if self._newest else 1
        found = Round(number, state, tuple(self._history))
        with self._changed:
            self._newest = found
            self._changed.notify_all()
        return found
