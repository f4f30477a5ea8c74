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
from front_proxy_demo import requests_to
from measure import ROOT, Figure, in_turn, median, ping, playbook, run, summary

ROUNDS = 5
DEMO = "front_proxy"


def figures(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy as processes of this machine, in a folder of its own."""
    # Supervisor's socket in this folder needs a short path.
    variables = ("-e", f"deployment_folder={folder / 'local'}")
    manual = folder / "processes"

    site, teardown = (playbook(name, "local", DEMO, *variables) for name in ("site", "teardown"))

    def first_deployment() -> float:
        try:
            return run(site)
        finally:
            run(teardown)

    def first_script() -> float:
        edge = f"http://127.0.0.1:{manual_processes.EDGE_PORT}"
        try:
            started = run(["sh", str(manual / "start.sh")])
            return started + run(["curl", "--silent", "--fail", *requests_to(edge)])
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
    yield phases.unchanged("local", site, teardown, ROUNDS, 1.6)
