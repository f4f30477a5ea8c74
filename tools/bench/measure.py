# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times commands in turn, and says their ratio."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


KEPT, MISSED, NOT_MEASURED, TOLD = "kept", "MISSED", "not measured", "no bound"


@dataclass(frozen=True)
class Figure:
    """One measured ratio, and the bound that it is to keep."""

    name: str
    ratio: float | None  # None where it could not be measured; the detail says why
    bound: float | None  # None where it is told and bound by nothing
    unit: str
    detail: str

    @property
    def mark(self) -> str:
        """What came of it."""
        if self.ratio is None:
            return NOT_MEASURED
        if self.bound is None:
            return TOLD
        return KEPT if self.ratio <= self.bound else MISSED

    def line(self) -> str:
        """It as a line of the table."""
        ratio = f"{'-' if self.ratio is None else format(self.ratio, '.2f'):>6}"
        bound = "" if self.bound is None else f"bound {self.bound:<4} "
        return f"{self.name:<44} {ratio} {self.unit:<38} {bound}{self.mark}"

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "mark": self.mark}


def tell(figures: Sequence[Figure], target: Path) -> int:
    """Print a table of figures and write them down; return 1 where a bound is missed."""
    for one in figures:
        print(one.line())
        print(f"{'':<44} {one.detail}")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([one.to_dict() for one in figures], indent=2) + "\n")
    print(f"written to {target.parent.name}/{target.name}")
    return 1 if any(one.mark == MISSED for one in figures) else 0


def run(command: Sequence[str], folder: Path = ROOT) -> float:
    """Return the seconds that `command` took; end with its output when it failed."""
    start = time.monotonic()
    output(command, folder)
    return time.monotonic() - start


def output(command: Sequence[str], folder: Path = ROOT) -> str:
    """Return what `command` said; end with it when it failed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def in_turn(rounds: int, *steps: Callable[[], float]) -> list[list[float]]:
    """Return the seconds of each step, called in turn, so that a machine that slows down slows all of them."""
    seconds: list[list[float]] = [[] for _step in steps]
    for _round in range(rounds):
        for position, step in enumerate(steps):
            seconds[position].append(step())
    return seconds


def median(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def said(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
