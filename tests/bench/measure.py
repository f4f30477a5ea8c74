# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times commands in turn, and says their ratio."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Figure:
    """One measured ratio, and the bound that it is to keep."""

    name: str
    ratio: float
    bound: float
    unit: str
    detail: str

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


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
