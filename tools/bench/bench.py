# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the collection against plain tools: demos against docker compose and kubectl, envoy_stats against curl.

    bench.py [PART ...]

Each figure is a ratio of two times of the same run, or a time in seconds. It is printed as soon as it is measured, and build/bench.json
contains the figures of the last run. A part that fails is reported, and the next part follows. The exit status is 1 if a part failed or a
figure is not within its bound.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gallery_duration
import kubernetes_deployment
import load_generators
import manual_compose
import many_endpoints
import planner_growth
import report_writing
import sandbox_lines
from front_proxy_demo import write_demo
from measure import ROOT, Figure, MeasurementError, Report, in_turn, median, ping, run, summary

BIN = ROOT / ".venv/bin"
ROUNDS = 5
FEW, MANY = 2, 30


def playbook(name: str, demo: Path) -> float:
    """Return the seconds that a playbook takes for a demo on docker."""
    program = str(BIN / "ansible-playbook")
    return run([program, "-i", "inventories/docker", f"playbooks/{name}.yml", "-e", f"demo={demo}"])


def compose(folder: Path, *arguments: str) -> float:
    """Return the seconds that `docker compose` takes in a folder."""
    return run(["docker", "compose", *arguments], folder)


def curl() -> float:
    """Return the seconds for the requests of front_proxy. The 3 requests to an app go to the edge, as compose does not publish the app."""
    base = f"http://127.0.0.1:{manual_compose.EDGE_PORT}/service"
    return run(["curl", "--silent", "--fail", f"{base}/1?[1-33]", f"{base}/2?[1-12]"])


def first_deployment(demo: Path) -> Callable[[], float]:
    """Return a step that times the first deployment of a demo, and then removes the demo."""

    def step() -> float:
        try:
            return playbook("site", demo)
        finally:
            playbook("teardown", demo)

    return step


def first_compose(folder: Path) -> Callable[[], float]:
    """Return a step that times `docker compose up` and the requests, and then removes the project."""

    def step() -> float:
        try:
            return compose(folder, "up", "--detach", "--wait") + curl()
        finally:
            compose(folder, "down", "--timeout", "1")

    return step


def deployment(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy on docker: the first deployment, and a deployment without changes."""
    demo = ROOT / "playbooks/demos/front_proxy.yml"
    site, manual, pings = in_turn(
        ROUNDS, first_deployment(demo), first_compose(folder / f"manual{FEW}"), ping
    )
    reference = [one + other for one, other in zip(manual, pings, strict=True)]
    yield Figure(
        "front_proxy on docker, first deployment",
        median(site) / median(reference),
        1.0,
        "× (ping + compose up --wait + curl)",
        f"site.yml {summary(site)}, ping {summary(pings)}, compose and curl {summary(manual)}",
    )
    playbook("site", demo)
    try:
        reruns, pings = in_turn(ROUNDS, lambda: playbook("site", demo), ping)
    finally:
        playbook("teardown", demo)
    yield Figure(
        "front_proxy on docker, unchanged",
        median(reruns) / median(pings),
        1.7,
        "× ping",
        f"site.yml {summary(reruns)}, ping {summary(pings)}",
    )


def service(folder: Path) -> Iterator[Figure]:
    """Measure the seconds that each service beyond FEW adds, up to MANY."""
    steps = [first_deployment(write_demo(folder, FEW)), first_deployment(write_demo(folder, MANY))]
    manual_steps = [first_compose(folder / f"manual{FEW}"), first_compose(folder / f"manual{MANY}")]
    few, many, few_manual, many_manual = in_turn(2, *steps, *manual_steps)
    added = MANY - FEW
    site = (median(many) - median(few)) / added
    manual = (median(many_manual) - median(few_manual)) / added
    yield Figure(
        f"each further service, from {FEW} to {MANY}",
        site / manual,
        1.3,
        "× compose",
        f"{site:.2f} s for a service with its sidecar, compose {manual:.2f} s;"
        f" {MANY} services in {summary(many)}, compose {summary(many_manual)}",
    )


PARTS: dict[str, Callable[[Path], Iterable[Figure]]] = {
    "planner": planner_growth.figures,
    "deployment": deployment,
    "service": service,
    "kubernetes": kubernetes_deployment.figures,
    "endpoints": many_endpoints.figures,
    "lines": sandbox_lines.figures,
    "gallery": gallery_duration.figures,
    "report": report_writing.figures,
    "load": load_generators.figures,
}


def measure(parts: Iterable[str], folder: Path, report: Report) -> list[str]:
    """Measure parts one after the other, and return the names of the parts that failed."""
    failed = []
    for part in parts:
        try:
            for figure in PARTS[part](folder):
                report.add(figure)
        except Exception as error:  # whatever one part runs into, the other parts are measured
            reason = str(error) if isinstance(error, MeasurementError) else f"{type(error).__name__}: {error}"
            print(f"bench: part '{part}' failed: {reason}", file=sys.stderr, flush=True)
            failed.append(part)
    return failed


def main() -> int:
    """Measure the parts that the command line names, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure the collection against plain tools.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"all by default; one or more of: {', '.join(PARTS)}"
    )
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"unknown part: {', '.join(unknown)}. Choose from: {', '.join(PARTS)}")
    report = Report(ROOT / "build/bench.json")
    folder = Path(tempfile.mkdtemp(prefix="meshlab-bench-"))
    try:
        for services in (FEW, MANY):
            manual_compose.write(folder / f"manual{services}", services)
        failed = measure(parts, folder, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"written to {report.target.relative_to(ROOT)}")
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
