# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure demos on docker against compose: the first deployment, and a deployment without changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import manual_compose
import phases
from front_proxy_demo import requests_to
from measure import ROOT, Figure, in_turn, median, ping, playbook, run, summary

ROUNDS = 5


def compose(folder: Path, *arguments: str) -> float:
    """Return the seconds that `docker compose` takes in a folder."""
    return run(["docker", "compose", *arguments], folder)


def curl() -> float:
    """Return the seconds for the requests of front_proxy. The 3 requests to an app go to the edge, as compose does not publish the app."""
    edge = f"http://127.0.0.1:{manual_compose.EDGE_PORT}"
    return run(["curl", "--silent", "--fail", *requests_to(edge)])


def first_deployment(demo: Path) -> Callable[[], float]:
    """Return a step that times the first deployment of a demo, and then removes the demo."""

    def step() -> float:
        try:
            return run(playbook("site", "docker", demo))
        finally:
            run(playbook("teardown", "docker", demo))

    return step


def first_compose(folder: Path, services: int) -> Callable[[], float]:
    """Return a step that times `docker compose up` for a number of services and the requests, and then removes the project."""
    project = folder / f"manual{services}"
    manual_compose.write(project, services)

    def step() -> float:
        try:
            return compose(project, "up", "--detach", "--wait") + curl()
        finally:
            compose(project, "down", "--timeout", "1")

    return step


def figures(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy on docker: the first deployment, and a deployment without changes."""
    demo = ROOT / "playbooks/demos/front_proxy.yml"
    site, manual, pings = in_turn(ROUNDS, first_deployment(demo), first_compose(folder, 2), ping)
    reference = [one + other for one, other in zip(manual, pings, strict=True)]
    yield Figure(
        "front_proxy on docker, first deployment",
        median(site) / median(reference),
        1.0,
        "× (ping + compose up --wait + curl)",
        f"site.yml {summary(site)}, ping {summary(pings)}, compose and curl {summary(manual)}",
    )
    site_again, teardown = (playbook(name, "docker", demo) for name in ("site", "teardown"))
    yield phases.unchanged("docker", site_again, teardown, ROUNDS, 1.7)
