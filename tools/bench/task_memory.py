# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the memory of tasks: of the largest process that Ansible starts for a task, or of all its processes if they use more.

Playbooks run on each platform while this program reads the peak of their processes from /proc a hundred times a second. A task runs in a
fork of ansible-playbook or in a Python of its own. Other programs that tasks start, such as Envoy and docker, are not counted.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from front_proxy_demo import write_demo
from kubernetes_deployment import new_namespace
from measure import ROOT, Figure, MeasurementError, failure, playbook
from process_memory import INTERVAL, PROC, descendants, peak, shared_out

BOUND = 100  # MB
MANY = 25
_TASK = re.compile(r"TASK \[(.*)\] \**")


@dataclass
class Peaks:
    """The peaks of a run in MB: of ansible-playbook itself, and of each task."""

    controller: float = 0.0
    tasks: dict[str, float] = field(default_factory=dict)

    def add(self, task: str, megabytes: float) -> None:
        """Record the memory of a process of a task."""
        self.tasks[task] = max(megabytes, self.tasks.get(task, 0.0))


def is_task(process: int) -> bool:
    """Return whether a process is a Python that works for a task, and not a demo's app or its supervisor."""
    try:
        words = (PROC / str(process) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    names = {Path(word).name for word in words}
    return Path(words[0]).name.startswith("python") and not names & {"supervisord", "demo_app.py"}


def watched(command: Sequence[str]) -> Peaks:
    """Return the peaks of a playbook.

    Raises:
        MeasurementError: The playbook failed.
    """
    peaks, printed, current = Peaks(), [""], ["start"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:

        def read() -> None:
            for line in running.stdout or ():
                printed.append(line)
                if task := _TASK.match(line):
                    current[0] = task[1]

        reader = threading.Thread(target=read)
        reader.start()
        while running.poll() is None:
            peaks.controller = max(peaks.controller, peak(running.pid))
            working = [one for one in descendants(running.pid) if is_task(one)]
            for process in working:
                peaks.add(current[0], peak(process))
            peaks.add(current[0], shared_out(working))
            time.sleep(INTERVAL)
        reader.join()
    if running.returncode:
        raise failure(command, running.returncode, "".join(printed))
    return peaks


def figure(where: str, runs: Sequence[Peaks]) -> Figure:
    """Return the figure of the task with the most memory in some runs."""
    peaks: dict[str, float] = {}
    for run in runs:
        for task, megabytes in run.tasks.items():
            peaks[task] = max(megabytes, peaks.get(task, 0.0))
    if not peaks:
        raise MeasurementError(f"{where}: found no process of a task")
    most = sorted(peaks.items(), key=lambda one: -one[1])[:3]
    shown = ", ".join(f"'{task}' {megabytes:.0f}" for task, megabytes in most)
    controller = max(run.controller for run in runs)
    return Figure(
        f"memory of a task, {where}",
        most[0][1],
        BOUND,
        "MB resident",
        f"{shown}; ansible-playbook itself {controller:.0f}",
    )


def figures(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy on each platform, and many services as processes."""
    variables = ("-e", f"deployment_folder={folder / 'memory'}")
    many = str(write_demo(folder, MANY, sent_to=MANY))
    yield _played("front_proxy on local", "local", "front_proxy", *variables)
    yield _played(f"{MANY} services on local", "local", many, *variables)
    yield _played("front_proxy on docker", "docker", "front_proxy")
    with new_namespace() as namespace:
        yield _played("front_proxy on kubernetes", "kubernetes", "front_proxy", *namespace.variables)


def _played(where: str, platform: str, demo: str, *arguments: str) -> Figure:
    names = ("site", "site", "verify")
    try:
        runs = [watched(playbook(name, platform, demo, *arguments)) for name in names]
    finally:
        removed = watched(playbook("teardown", platform, demo, *arguments))
    return figure(where, [*runs, removed])
