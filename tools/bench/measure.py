# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time commands in turn, and report the ratio of their times."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHIN, MISSED, NOT_MEASURED, NO_BOUND = "within bound", "MISSED", "not measured", "no bound"
# The last characters of a failed command's output that the error shows.
OUTPUT_SHOWN = 3000


class MeasurementError(Exception):
    """A part cannot be measured, for example because a command failed."""


@dataclass(frozen=True)
class Figure:
    """One measured ratio and its bound.

    The ratio is None if it cannot be measured; the detail states the reason. The bound is None for a figure that is only reported. It is
    the highest accepted ratio, or the lowest if `at_least` is set.
    """

    name: str
    ratio: float | None
    bound: float | None
    unit: str
    detail: str
    at_least: bool = False

    @property
    def result(self) -> str:
        """Return how the ratio compares with its bound."""
        if self.ratio is None:
            return NOT_MEASURED
        if self.bound is None:
            return NO_BOUND
        within = self.ratio >= self.bound if self.at_least else self.ratio <= self.bound
        return WITHIN if within else MISSED

    def line(self) -> str:
        """Return the figure as a line of the table."""
        ratio = f"{'-' if self.ratio is None else format(self.ratio, '.2f'):>6}"
        bound = "" if self.bound is None else f"bound {'≥' if self.at_least else '≤'} {self.bound:<4g} "
        return f"{self.name:<50} {ratio} {self.unit:<38} {bound}{self.result}"

    def to_dict(self) -> dict[str, object]:
        """Return the figure as JSON data."""
        return {**asdict(self), "result": self.result}


@dataclass
class Report:
    """The figures of a run. Each one is printed and written to a JSON file as soon as it is added.

    With `keep`, the file keeps the figures of the previous run that this run does not measure.
    """

    target: Path
    keep: bool = False
    figures: list[Figure] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Return whether a figure is not within its bound."""
        return any(one.result == MISSED for one in self.figures)

    def add(self, figure: Figure) -> None:
        """Print a figure, and write it to the file with the previous figures."""
        self.figures.append(figure)
        print(f"{figure.line()}\n{'':<50} {figure.detail}", flush=True)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps([*self._kept(), *(one.to_dict() for one in self.figures)], indent=2) + "\n"
        self.target.write_text(content, encoding="utf-8")

    def _kept(self) -> list[dict[str, object]]:
        if not self.keep or not self.target.is_file():
            return []
        measured = {one.name for one in self.figures}
        previous = json.loads(self.target.read_text(encoding="utf-8"))
        return [one for one in previous if one["name"] not in measured]


def run(command: Sequence[str], folder: Path = ROOT) -> float:
    """Return the seconds that a command took.

    Raises:
        MeasurementError: The command failed. The message has the end of its output.
    """
    start = time.monotonic()
    output(command, folder)
    return time.monotonic() - start


def output(command: Sequence[str], folder: Path = ROOT) -> str:
    """Return the output of a command.

    Raises:
        MeasurementError: The command failed. The message has the end of its output.
    """
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
        raise failure(command, done.returncode, done.stdout)
    return done.stdout


def run_planner(program: str, *arguments: object) -> str:
    """Return the output of a Python program that imports the collection, in a process of its own.

    Raises:
        MeasurementError: The program failed. The message has its arguments and the end of its errors.
    """
    texts = [str(one) for one in arguments]
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-c", program, *texts],
        env={**os.environ, "PYTHONPATH": str(ROOT / ".venv/collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasurementError(f"the planner failed for {' '.join(texts)}:\n{done.stderr[-OUTPUT_SHOWN:]}")
    return done.stdout


def timed_lines(command: Sequence[str], folder: Path = ROOT) -> tuple[list[tuple[float, str]], float]:
    """Return the printed lines of a command, each with the seconds since its start, and the seconds that it took.

    Raises:
        MeasurementError: The command failed. The message has the end of its output.
    """
    start = time.monotonic()
    lines: list[tuple[float, str]] = []
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        if process.stdout is None:
            raise RuntimeError("subprocess.Popen returned no pipe")
        lines += ((time.monotonic() - start, line) for line in process.stdout)
    seconds = time.monotonic() - start
    if process.returncode:
        printed = "".join(line for _at, line in lines)
        raise failure(command, process.returncode, printed)
    return lines, seconds


def failure(command: Sequence[str], status: int, printed: str) -> MeasurementError:
    """Return the error of a command that failed."""
    return MeasurementError(
        f"`{' '.join(command)}` ended with exit status {status}:\n{printed[-OUTPUT_SHOWN:]}"
    )


def playbook(name: str, platform: str, demo: str | Path, *arguments: str) -> list[str]:
    """Return the command that runs a playbook for a demo on a platform."""
    program = str(ROOT / ".venv/bin/ansible-playbook")
    # The reports of the user's own runs stay as they are.
    variables = ("-e", f"demo={demo}", "-e", f"demo_reports_folder={ROOT / 'build/bench-reports'}")
    return [program, "-i", f"inventories/{platform}", f"playbooks/{name}.yml", *variables, *arguments]


def number_of_tasks(printed: str) -> int:
    """Return the number of tasks in the output of a playbook."""
    return len(re.findall(r"^TASK \[", printed, re.MULTILINE))


def ping() -> float:
    """Return the seconds of `ansible localhost -m ping`, the shortest run of Ansible."""
    return run([str(ROOT / ".venv/bin/ansible"), "localhost", "-m", "ping"])


def in_turn(rounds: int, *steps: Callable[[], float]) -> list[list[float]]:
    """Return the seconds of each step; the steps alternate, so that a machine that slows down slows all steps."""
    seconds: list[list[float]] = [[] for _step in steps]
    for _round in range(rounds):
        for position, step in enumerate(steps):
            seconds[position].append(step())
    return seconds


def median(seconds: Sequence[float]) -> float:
    """Return the median of times."""
    return statistics.median(seconds)


def summary(seconds: Sequence[float]) -> str:
    """Return the median, minimum and maximum of times as text."""
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
