# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Divide the time of a playbook by its phases, from the times at which Ansible prints the name of a play or of a task."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import ROOT, Figure, in_turn, median, ping, run, summary, timed_lines

TARGET = ROOT / "build" / "phases.json"
START, END, OTHER = "start of Ansible, until the play", "end of Ansible, after the play", "all other tasks"
# The phases of tasks by their names, in the order of the playbook.
TASKS = (
    ("compute the plan", re.compile(r"Plan \| Compute")),
    ("deploy: compare with what runs", re.compile(r"\| Deploy the plan")),
    ("verify: traffic, stats, expectations, report", re.compile(r"Send the traffic")),
)
PHASES = (START, OTHER, *(name for name, _pattern in TASKS), END)
_TASK = re.compile(r"TASK \[(.*)\] \**")


@dataclass(frozen=True)
class Phase:
    """The seconds of one phase, and the number of its tasks."""

    seconds: float
    tasks: int


def phases(lines: Sequence[tuple[float, str]], seconds: float) -> dict[str, Phase]:
    """Return the phases of a run from its printed lines, each with the seconds since the start, and its duration."""
    begins = [(0.0, START, 0)]
    for at, line in lines:
        if task := _TASK.match(line):
            begins.append((at, _phase(task[1]), 1))
        elif line.startswith("PLAY ["):
            begins.append((at, OTHER, 0))
        elif line.startswith("PLAY RECAP"):
            begins.append((at, END, 0))
    found = dict.fromkeys(PHASES, Phase(0.0, 0))
    ends = [at for at, _name, _task in begins[1:]] + [seconds]
    for (begin, name, count), end in zip(begins, ends, strict=True):
        found[name] = Phase(found[name].seconds + end - begin, found[name].tasks + count)
    return found


def _phase(task: str) -> str:
    return next((name for name, pattern in TASKS if pattern.search(task)), OTHER)


def unchanged(
    platform: str, site: Sequence[str], teardown: Sequence[str], rounds: int, bound: float
) -> Figure:
    """Deploy front_proxy, measure deployments without changes against ping, write their phases, and remove the demo."""
    runs: list[dict[str, Phase]] = []
    run(site)
    try:
        reruns, pings = in_turn(rounds, step(site, runs), ping)
    finally:
        run(teardown)
    write(platform, runs)
    return Figure(
        f"front_proxy on {platform}, unchanged",
        median(reruns) / median(pings),
        bound,
        "× ping",
        f"site.yml {summary(reruns)}, ping {summary(pings)}",
    )


def step(command: Sequence[str], runs: list[dict[str, Phase]]) -> Callable[[], float]:
    """Return a step that times a playbook and appends its phases to a list."""

    def timed() -> float:
        lines, seconds = timed_lines(command)
        runs.append(phases(lines, seconds))
        return seconds

    return timed


def write(platform: str, runs: Sequence[dict[str, Phase]], target: Path = TARGET) -> None:
    """Write the medians of some runs to build/phases.json, which keeps the phases of all other platforms."""
    all_phases = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    all_phases[platform] = {
        name: {
            "seconds": round(statistics.median(one[name].seconds for one in runs), 3),
            "tasks": runs[-1][name].tasks,
        }
        for name in PHASES
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(all_phases, indent=2) + "\n", encoding="utf-8")
