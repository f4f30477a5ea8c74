# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bounded load generator: kept and new connections with HTTP/1.1, TLS and HTTP/2, whose failures are counted by change."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAM = Path(__file__).with_name("load_program.py")
# Seconds to wait until each lane has sent the requests that prove a change.
PATIENCE = 120


@dataclass(frozen=True)
class Lane:
    """Requests that one client sends one after another.

    Attributes:
        name: Its name in the counts.
        host: Address of the server.
        port: Port of the server.
        paths: Paths that the client requests in turn.
        keep: Whether the client keeps its connection, or opens one for each request.
        authority: Path of the authority that verifies the server's certificate. Empty: no TLS.
        http2: Whether the client uses HTTP/2, with four requests at a time.
        rate: The most requests a second.
    """

    name: str
    host: str
    port: int
    paths: tuple[str, ...]
    keep: bool = True
    authority: str = ""
    http2: bool = False
    rate: float = 200.0


@dataclass
class ChangeCounts:
    """The requests during one change, and the failed ones by lane and cause."""

    requests: int = 0
    resent: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """The number of failed requests."""
        return self.failures.total()

    def __add__(self, other: ChangeCounts) -> ChangeCounts:
        return ChangeCounts(
            self.requests + other.requests, self.resent + other.resent, self.failures + other.failures
        )


class RequestLoad:
    """Sends the requests of its lanes in a process of its own until the end of a `with` block.

    Example:
        >>> with RequestLoad([Lane("kept", "127.0.0.1", 8080, ("/",))]) as load:
        ...     load.begin("scale up")
        ...     deploy()
        ...     counts = load.settled(least=100)
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = [lane.name for lane in lanes]
        self._lanes_data = [asdict(lane) for lane in lanes]
        self._label = ""

    def __enter__(self) -> RequestLoad:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._send(self._lanes_data)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def begin(self, label: str) -> None:
        """Count the requests that are sent from now on under `label`."""
        self._label = label
        self._command({"label": label})

    def settled(self, least: int, each: int = 10) -> ChangeCounts:
        """Return the counts of the label when `least` requests were sent, and `each` lane has completed some from now on."""
        begun = self._command({})["sent"].get(self._label, {})
        deadline = time.monotonic() + PATIENCE
        while True:
            counts = self._command({})
            sent = counts["sent"].get(self._label, {})
            slow = [lane for lane in self._lanes if sent.get(lane, 0) - begun.get(lane, 0) < each]
            if not slow and sum(sent.values()) >= least:
                return self._of_label(counts)
            assert time.monotonic() < deadline, f"{self._label}: lanes without {each} new requests: {slow}"
            time.sleep(0.05)

    def _of_label(self, counts: dict[str, Any]) -> ChangeCounts:
        failures: Counter[str] = Counter()
        for label, lane, cause, count in counts["failures"]:
            if label == self._label:
                failures[f"{lane}: {cause}"] += count
        return ChangeCounts(
            sum(counts["sent"].get(self._label, {}).values()), counts["resent"].get(self._label, 0), failures
        )

    def _command(self, command: dict[str, Any]) -> dict[str, Any]:
        self._send(command)
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def _send(self, command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
