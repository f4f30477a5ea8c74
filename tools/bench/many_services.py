# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure many services against plain tools: 25 on docker against compose, 20 on a cluster against kubectl.

A deployment without changes is measured against a bound that grows with the number of services.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker_deployment
from front_proxy_demo import EDGE_PORT, requests_to, write_demo
from kubernetes_deployment import Namespace, new_namespace
from measure import Figure, in_turn, median, number_of_tasks, output, ping, playbook, run, summary

ROUNDS = 2
ON_DOCKER, ON_KUBERNETES, FEW = 25, 20, 2
PER_SERVICE = 0.020  # seconds of a deployment without changes


def on_docker(folder: Path) -> Iterator[Figure]:
    """Measure ON_DOCKER services against compose."""
    demo = write_demo(folder, ON_DOCKER)
    first, manual = in_turn(
        ROUNDS,
        docker_deployment.first_deployment(demo),
        docker_deployment.first_compose(folder, ON_DOCKER),
    )
    yield first_figure("docker", ON_DOCKER, (first, manual), "compose up --wait + curl")
    run(playbook("site", "docker", demo))
    try:
        reruns, pings = in_turn(ROUNDS + 1, lambda: run(playbook("site", "docker", demo)), ping)
    finally:
        run(playbook("teardown", "docker", demo))
    yield unchanged_figure("docker", ON_DOCKER, reruns, pings)


def on_kubernetes(folder: Path) -> Iterator[Figure]:
    """Measure ON_KUBERNETES services against kubectl, and the number of tasks against that of FEW services."""
    with new_namespace() as namespace:
        demo = write_demo(folder, ON_KUBERNETES)
        rendered = folder / f"rendered{ON_KUBERNETES}"
        run(namespace.playbook("render", demo, "-e", f"render_to={rendered}"))
        few = tasks(namespace, write_demo(folder, FEW))  # the node pulls the images
        first, manual = in_turn(
            ROUNDS,
            lambda: namespace.first_deployment(demo),
            namespace.first_kubectl(rendered, {f"service/bench{ON_KUBERNETES}-edge": EDGE_PORT}, requested),
        )
        yield first_figure("kubernetes", ON_KUBERNETES, (first, manual), "kubectl apply + wait + curl")
        many = tasks(namespace, demo, keep=True)
        try:
            reruns, pings = in_turn(ROUNDS + 1, lambda: run(namespace.playbook("site", demo)), ping)
        finally:
            run(namespace.playbook("teardown", demo))
        yield unchanged_figure("kubernetes", ON_KUBERNETES, reruns, pings)
        yield Figure(
            f"tasks on kubernetes, {FEW} to {ON_KUBERNETES} services",
            many[0] / few[0],
            1.0,
            f"× the tasks for {FEW}",
            f"{many[0]} tasks, {many[1]:.1f} s; {FEW} services {few[1]:.1f} s",
        )


def requested(addresses: Sequence[str]) -> list[str]:
    """Return the URLs of the demo's traffic from the address of its edge."""
    [edge] = addresses
    return requests_to(edge)


def tasks(namespace: Namespace, demo: Path, keep: bool = False) -> tuple[int, float]:
    """Return the number of tasks of a first deployment and its seconds, and remove the demo unless it is kept."""
    began = time.monotonic()
    printed = output(namespace.playbook("site", demo))
    seconds = time.monotonic() - began
    if not keep:
        run(namespace.playbook("teardown", demo))
    return number_of_tasks(printed), seconds


def first_figure(
    platform: str, services: int, times: tuple[Sequence[float], Sequence[float]], reference: str
) -> Figure:
    """Return the figure of a first deployment from the seconds of the playbook and of the plain tools."""
    site, manual = times
    return Figure(
        f"{services} services on {platform}, first deployment",
        median(site) / median(manual),
        1.2,
        f"× ({reference})",
        f"site.yml {summary(site)}, plain tools {summary(manual)}",
    )


def unchanged_figure(platform: str, services: int, reruns: Sequence[float], pings: Sequence[float]) -> Figure:
    """Return the figure of a deployment without changes."""
    return Figure(
        f"{services} services on {platform}, unchanged",
        median(reruns) / (2 * median(pings) + PER_SERVICE * services),
        1.0,
        f"× (2 × ping + {PER_SERVICE * 1000:.0f} ms × services)",
        f"site.yml {summary(reruns)}, ping {summary(pings)}",
    )
