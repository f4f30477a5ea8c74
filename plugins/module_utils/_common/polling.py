# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one wait loop of the collection: poll a condition at growing intervals until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

FIRST_PAUSE = 0.005  # seconds
LONGEST_PAUSE = 0.2  # seconds
GROWTH = 1.5


def attempts(
    timeout: float,
    *,
    first_pause: float = FIRST_PAUSE,
    longest_pause: float = LONGEST_PAUSE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[float]:
    """Yield the seconds that are left, at least once, until `timeout` is over.

    The pause between two attempts grows by half each time. The last pause ends at the deadline, and one attempt follows it.

    Args:
        timeout: Seconds from now until the deadline. 0 yields exactly once.
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
    deadline = clock() + timeout
    pause = first_pause
    while True:
        left = deadline - clock()
        yield max(left, 0.0)
        left = deadline - clock()
        if left <= 0:
            return
        sleep(min(pause, left))
        pause = min(pause * GROWTH, longest_pause)
