# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the collection against plain tools: demos against docker compose and kubectl, envoy_stats against curl.

    bench.py [PART ...]

Each figure is a ratio of two times of the same run, or a time in seconds. It is printed as soon as it is measured, and build/bench.json
contains the figures of the last run. A run of some parts keeps the figures of the other parts. A part that fails is reported, and the next
part follows. The exit status is 1 if a part failed or a figure is not within its bound.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import docker_deployment
import gallery_duration
import kubernetes_deployment
import load_generators
import local_deployment
import many_endpoints
import many_services
import planner_growth
import rendered_proxy
import report_writing
import sandbox_lines
import service_growth
import task_memory
from measure import ROOT, Figure, MeasurementError, Report

PARTS: dict[str, Callable[[Path], Iterable[Figure]]] = {
    "planner": planner_growth.figures,
    "docker": docker_deployment.figures,
    "local": local_deployment.figures,
    "kubernetes": kubernetes_deployment.figures,
    "many-docker": many_services.on_docker,
    "many-kubernetes": many_services.on_kubernetes,
    "growth": service_growth.figures,
    "memory": task_memory.figures,
    "endpoints": many_endpoints.figures,
    "lines": sandbox_lines.figures,
    "gallery": gallery_duration.figures,
    "report": report_writing.figures,
    "load": load_generators.figures,
    "proxy": rendered_proxy.figures,
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
    named = parser.parse_args().parts
    parts = named or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"unknown part: {', '.join(unknown)}. Choose from: {', '.join(PARTS)}")
    report = Report(ROOT / "build/bench.json", keep=bool(named))
    folder = Path(tempfile.mkdtemp(prefix="meshlab-bench-"))
    try:
        failed = measure(parts, folder, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"written to {report.target.relative_to(ROOT)}")
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
