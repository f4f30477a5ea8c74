# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: demos beside the same by hand, a fleet beside curl; ratios in one run, as a table and in build/bench.json.

    bench.py [PART ...]

measures all parts, or those that are named; build/bench.json holds what was measured last. Ends with 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import gallery_duration
import kubernetes_deployment
import manual_compose
import many_endpoints
import sandbox_lines
from front_proxy_demo import demo_file
from measure import ROOT, Figure, in_turn, median, run, said, tell

BIN = ROOT / ".venv/bin"
ROUNDS = 5
FEW, MANY = 2, 30


def ping() -> float:
    return run([str(BIN / "ansible"), "localhost", "-m", "ping"])


def playbook(name: str, demo: Path) -> float:
    return run(
        [
            str(BIN / "ansible-playbook"),
            "-i",
            "inventories/docker",
            f"playbooks/{name}.yml",
            "-e",
            f"demo={demo}",
        ]
    )


def compose(folder: Path, *arguments: str) -> float:
    return run(["docker", "compose", *arguments], folder)


def curl() -> float:
    """The requests of the demo: 24 and 12 and 6, and 3 straight to an app, which by hand is not published."""
    base = f"http://127.0.0.1:{manual_compose.EDGE_PORT}/service"
    return run(["curl", "--silent", "--fail", f"{base}/1?[1-33]", f"{base}/2?[1-12]"])


def cold(demo: Path) -> Callable[[], float]:
    """A step that deploys `demo` where nothing is, and takes it down again, which is not counted."""

    def step() -> float:
        try:
            return playbook("site", demo)
        finally:
            playbook("teardown", demo)

    return step


def cold_by_hand(folder: Path) -> Callable[[], float]:
    def step() -> float:
        try:
            return compose(folder, "up", "--detach", "--wait") + curl()
        finally:
            compose(folder, "down", "--timeout", "1")

    return step


def speed_of_a_deployment(folder: Path) -> list[Figure]:
    demo = ROOT / "playbooks/demos/front_proxy.yml"
    ours, theirs, pings = in_turn(ROUNDS, cold(demo), cold_by_hand(folder / f"hand{FEW}"), ping)
    parts = [one + other for one, other in zip(theirs, pings, strict=True)]
    playbook("site", demo)
    try:
        reruns, more_pings = in_turn(ROUNDS, lambda: playbook("site", demo), ping)
    finally:
        playbook("teardown", demo)
    return [
        Figure(
            "front_proxy on docker, cold",
            median(ours) / median(parts),
            1.5,
            "× (ping + compose up --wait + curl)",
            f"site.yml {said(ours)}, ping {said(pings)}, compose and curl {said(theirs)}",
        ),
        Figure(
            "front_proxy on docker, unchanged",
            median(reruns) / median(more_pings),
            2.5,
            "× ping",
            f"site.yml {said(reruns)}, ping {said(more_pings)}",
        ),
    ]


def speed_of_a_service(folder: Path) -> list[Figure]:
    """What a further service costs, from FEW to MANY."""
    steps = [cold(demo_file(folder, FEW)), cold(demo_file(folder, MANY))]
    hands = [cold_by_hand(folder / f"hand{FEW}"), cold_by_hand(folder / f"hand{MANY}")]
    few, many, few_by_hand, many_by_hand = in_turn(2, *steps, *hands)
    added = MANY - FEW
    ours = (median(many) - median(few)) / added
    theirs = (median(many_by_hand) - median(few_by_hand)) / added
    return [
        Figure(
            f"a further service, from {FEW} to {MANY}",
            ours / theirs,
            1.3,
            "× the same by compose",
            f"{ours:.2f} s a service and its sidecar, by hand {theirs:.2f} s; {MANY} in {said(many)}, by hand {said(many_by_hand)}",
        )
    ]


PARTS: dict[str, Callable[[Path], list[Figure]]] = {
    "deployment": speed_of_a_deployment,
    "service": speed_of_a_service,
    "kubernetes": kubernetes_deployment.figures,
    "fleet": many_endpoints.figures,
    "lines": sandbox_lines.figures,
    "gallery": gallery_duration.figures,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures ratios in one run.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all, or some of: {', '.join(PARTS)}")
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no {', '.join(unknown)}; choose of: {', '.join(PARTS)}")
    folder = Path(tempfile.mkdtemp(prefix="meshlab-bench-"))
    try:
        for services in (FEW, MANY):
            manual_compose.write(folder / f"hand{services}", services)
        figures = [figure for part in parts for figure in PARTS[part](folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tell(figures, ROOT / "build/bench.json")


if __name__ == "__main__":
    sys.exit(main())
