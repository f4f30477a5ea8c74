# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the memory of processes from /proc: the peak of one process, and what several processes use together."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
INTERVAL = 0.01  # seconds between two readings
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_SHARE = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def descendants(process: int) -> Iterator[int]:
    """Yield the ids of the processes that a process has started, and that those have started."""
    with contextlib.suppress(OSError):
        for thread in (PROC / str(process) / "task").iterdir():
            with contextlib.suppress(OSError):
                for child in (thread / "children").read_text().split():
                    yield int(child)
                    yield from descendants(int(child))


def peak(process: int) -> float:
    """Return the peak resident memory of a process in MB; 0 after its end."""
    with contextlib.suppress(OSError):
        if found := _PEAK.search((PROC / str(process) / "status").read_text()):
            return int(found[1]) / 1000
    return 0.0


def shared_out(processes: Iterable[int]) -> float:
    """Return the resident memory of some processes in MB, in which a page of several processes counts once."""
    total = 0
    for process in processes:
        # Only root can read this file of another user's process.
        with contextlib.suppress(OSError):
            if found := _SHARE.search((PROC / str(process) / "smaps_rollup").read_text()):
                total += int(found[1])
    return total / 1000


@contextlib.contextmanager
def watching(process: int) -> Iterator[list[float]]:
    """Yield a list with one number: the most memory in MB of a process and its descendants together, until the end of the block."""
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(INTERVAL):
            most[0] = max(most[0], shared_out([process, *descendants(process)]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
