# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure front_proxy on local against the same processes from a shell script: the first deployment, and a deployment without changes.

The programs are installed before, as the images of the other platforms are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import manual_processes
import phases
from measure import ROOT, Figure, in_turn, median, ping, playbook, run, summary

ROUNDS = 5
DEMO = "front_proxy"


def figures(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy as processes of this machine, in a folder of its own."""
    # Supervisor's socket in this folder needs a short path.
    variables = ("-e", f"deployment_folder={folder / 'local'}")
    manual = folder / "processes"

    def site() -> float:
        return run(playbook("site", "local", DEMO, *variables))

    def teardown() -> None:
        run(playbook("teardown", "local", DEMO, *variables))

    def first_deployment() -> float:
        try:
            return site()
        finally:
            teardown()

    def first_script() -> float:
        base = f"http://127.0.0.1:{manual_processes.EDGE_PORT}/service"
        try:
            started = run(["sh", str(manual / "start.sh")])
            return started + run(["curl", "--silent", "--fail", f"{base}/1?[1-33]", f"{base}/2?[1-12]"])
        finally:
            run(["sh", str(manual / "stop.sh")])

    first_deployment()  # installs the programs
    manual_processes.write(manual, str(manual_processes.INSTALLED), str(ROOT / ".venv/bin/python"))
    first, script, pings = in_turn(ROUNDS, first_deployment, first_script, ping)
    reference = [one + other for one, other in zip(script, pings, strict=True)]
    yield Figure(
        "front_proxy on local, first deployment",
        median(first) / median(reference),
        1.2,
        "× (ping + shell script + curl)",
        f"site.yml {summary(first)}, ping {summary(pings)}, script and curl {summary(script)}",
    )
    runs: list[dict[str, phases.Phase]] = []
    site()
    try:
        reruns, pings = in_turn(ROUNDS, phases.step(playbook("site", "local", DEMO, *variables), runs), ping)
    finally:
        teardown()
    phases.write("local", runs)
    yield Figure(
        "front_proxy on local, unchanged",
        median(reruns) / median(pings),
        1.6,
        "× ping",
        f"site.yml {summary(reruns)}, ping {summary(pings)}",
    )
