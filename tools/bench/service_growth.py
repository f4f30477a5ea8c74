# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how deployment and verification grow with the number of services, as processes of this machine.

Each service has a sidecar, traffic and an expectation. The charts are in build/growth.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from front_proxy_demo import write_demo
from growth import Growth, linear
from measure import Figure, number_of_tasks, output, playbook, run

SERVICES = (1, 5, 10, 25)
ROUNDS = 2  # the shorter time counts
STEPS = {"deploy": "first deployment", "unchanged": "deployment without changes", "verify": "verification"}
CHARTS = {"deploy": ("deploy", "unchanged"), "verify": ("verify",)}


def figures(folder: Path) -> Iterator[Figure]:
    """Deploy and verify demos with 1 to 25 services, and compare the times with linear growth."""
    seconds: dict[str, dict[int, list[float]]] = {step: {number: [] for number in SERVICES} for step in STEPS}
    tasks = {}
    for _round in range(ROUNDS):
        for number in SERVICES:
            taken, tasks[number] = _played(write_demo(folder, number, sent_to=number), folder)
            for step, value in taken.items():
                seconds[step][number].append(value)
    lines = {
        step: [(float(number), min(times)) for number, times in rows.items()]
        for step, rows in seconds.items()
    }
    for chart, steps in CHARTS.items():
        title = "Seconds of site.yml on local" if chart == "deploy" else "Seconds of verify.yml on local"
        Growth(title, ("services", "seconds"), {STEPS[step]: lines[step] for step in steps}).write(chart)
    for step, points in lines.items():
        yield linear(f"{STEPS[step]} on local", points)
    most, least = max(SERVICES), min(SERVICES)
    yield Figure(
        f"tasks on local, {least} to {most} services",
        tasks[most] / tasks[least],
        1.0,
        f"× the tasks for {least}",
        f"{tasks[most]} and {tasks[least]} tasks",
    )


def _played(demo: Path, folder: Path) -> tuple[dict[str, float], int]:
    """Return the seconds of each step of a demo, and the number of tasks of its deployment. The demo is removed."""
    variables = ("-e", f"deployment_folder={folder / 'growth'}")
    deploy = playbook("site", "local", demo, *variables)
    try:
        began = time.monotonic()
        tasks = number_of_tasks(output(deploy))
        first = time.monotonic() - began
        unchanged = run(deploy)
        verify = run(playbook("verify", "local", demo, *variables))
    finally:
        run(playbook("teardown", "local", demo, *variables))
    return {"deploy": first, "unchanged": unchanged, "verify": verify}, tasks
