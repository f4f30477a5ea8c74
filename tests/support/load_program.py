# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of the load generator: sends requests until its standard input ends, at most MOST_SECONDS and MOST_REQUESTS.

Each line of the input is a command: the lanes first, then {"label": TEXT} before each change, and {} for the counts. Each command is
answered by a line with the counts so far. A process of its own, so that a deployment in the process of the test delays no request.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from load_connections import Http1Client, Http2Client, Target

MOST_SECONDS = 7200
MOST_REQUESTS = 5_000_000


class Counts:
    """The requests, failures and resent requests by label. All lanes share it."""

    def __init__(self) -> None:
        self.label = ""
        self.total = 0
        self._lock = threading.Lock()
        self._sent: dict[str, dict[str, int]] = {}
        self._resent: dict[str, int] = {}
        self._failures: dict[tuple[str, str, str], int] = {}

    def add(self, label: str, lane: str, causes: list[str], resent: int) -> None:
        """Count the requests of a batch by the label at which it was sent."""
        with self._lock:
            sent = self._sent.setdefault(label, {})
            sent[lane] = sent.get(lane, 0) + len(causes)
            self._resent[label] = self._resent.get(label, 0) + resent
            self.total += len(causes)
            for cause in filter(None, causes):
                key = (label, lane, cause)
                self._failures[key] = self._failures.get(key, 0) + 1

    def plain(self) -> dict[str, Any]:
        """Return all counts as data for JSON."""
        with self._lock:
            failures = [[*key, count] for key, count in self._failures.items()]
            return {"sent": self._sent, "resent": self._resent, "failures": failures}


def send(lane: dict[str, Any], counts: Counts, stopped: threading.Event) -> None:
    """Send the requests of a lane, one batch after another, at its rate."""
    target = Target(lane["host"], lane["port"], lane["authority"])
    client = (Http2Client if lane["http2"] else Http1Client)(target, lane["keep"])
    size = 4 if lane["http2"] else 1
    position, due = 0, time.monotonic()
    end = due + MOST_SECONDS
    while not stopped.is_set() and counts.total < MOST_REQUESTS and time.monotonic() < end:
        paths = [lane["paths"][(position + one) % len(lane["paths"])] for one in range(size)]
        position += size
        label, resent = counts.label, client.resent
        causes = client.exchange(paths)
        counts.add(label, lane["name"], causes, client.resent - resent)
        # A refused connection fails at once, so that it would dominate the counts without a pause.
        due = max(due + size / lane["rate"], time.monotonic() + (0.01 if any(causes) else 0.0))
        if (pause := due - time.monotonic()) > 0:
            stopped.wait(pause)
    client.close()


def main() -> None:
    """Run the lanes and answer the commands."""
    counts, stopped = Counts(), threading.Event()
    threads = [
        threading.Thread(target=send, args=(lane, counts, stopped), daemon=True)
        for lane in json.loads(sys.stdin.readline())
    ]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        counts.label = json.loads(line).get("label", counts.label)
        print(json.dumps(counts.plain()), flush=True)
    stopped.set()
    for thread in threads:
        thread.join(15)


if __name__ == "__main__":
    main()
