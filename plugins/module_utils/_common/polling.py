# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one wait loop of the collection: poll a condition at growing intervals until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

FIRST_PAUSE = 0.005  # seconds
LONGEST_PAUSE = 0.2  # seconds
GROWTH = 1.5


class Deadline:
    """The end of a wait, `timeout` seconds after its start or after the last progress."""

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin the wait."""
        self.timeout = timeout
        self._clock = clock
        self._last_progress = clock()
        self._best: Any = None

    def left(self) -> float:
        """Return the seconds until the deadline, negative after it."""
        return self._last_progress + self.timeout - self._clock()

    def note(self, progress: Any) -> None:
        """Move the deadline if `progress` exceeds each earlier value, so that what goes up and down moves it only once.

        Args:
            progress: How much is done: a number, or a tuple whose first part counts most.

        Example:
            >>> seconds = iter((0, 5, 9))
            >>> deadline = Deadline(10, clock=lambda: next(seconds))
            >>> deadline.note(1)  # the first value is the start
            >>> deadline.note(2)
            >>> deadline.left()
            6
        """
        if self._best is None:
            self._best = progress
        elif progress > self._best:
            self._best, self._last_progress = progress, self._clock()


def attempts(
    timeout: float | Deadline,
    *,
    first_pause: float = FIRST_PAUSE,
    longest_pause: float = LONGEST_PAUSE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[float]:
    """Yield the seconds that are left, at least once, until `timeout` is over.

    The pause between two attempts grows by half each time. The last pause ends at the deadline, and one attempt follows it.

    Args:
        timeout: Seconds from now until the deadline. 0 yields exactly once. Or a deadline, which the caller moves.
        first_pause: Seconds between the first two attempts.
        longest_pause: Upper limit of the pause, in seconds.
        clock: Returns the current time in seconds; a test replaces it.
        sleep: Waits for a number of seconds; a test replaces it.

    Example:
        for _left in attempts(timeout=30):
            if is_ready():
                break
        else:
            raise TimeoutError("the service is not ready after 30 s")
    """
    deadline = timeout if isinstance(timeout, Deadline) else Deadline(timeout, clock)
    pause = first_pause
    while True:
        yield max(deadline.left(), 0.0)
        left = deadline.left()
        if left <= 0:
            return
        sleep(min(pause, left))
        pause = min(pause * GROWTH, longest_pause)
