# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how the CPU time of the planner grows with the number of services, on each platform.

It needs no container and no cluster. build/growth/planner.json and planner.svg have the seconds of each number of services.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from growth import Growth, linear
from measure import Figure, run_planner

PLATFORMS = ("local", "docker", "kubernetes", "openshift")
SERVICES = (10, 100, 300, 1_000)
ROUNDS = 3  # other work can make a round slower, never faster
BOUND = 5.0  # milliseconds of CPU for a service with its sidecar

# Plans a demo in which an edge proxy has a route to each service, and prints the seconds of CPU.
PLAN = """
import json, sys, time
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
platform, services = sys.argv[1], int(sys.argv[2])
def demo(names):
    routes = [{"match": {"prefix": "/" + one}, "route": {"cluster": one}} for one in names]
    return {
        "summary": "Many services",
        "ports": 20000,
        "services": {one: {"sidecar": {}} for one in names},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": 8080, "publish": 18080, "routes": routes}},
                "clusters": {one: {"to": one} for one in names},
            }
        },
        "traffic": [{"name": "one", "to": "edge", "path": "/s0", "requests": 1}],
    }
programs = ("envoy", "python", "statsd_exporter", "supervisord")
context = {"platform": platform, "folder": "/state", "app": ""}
context |= {one: {"executable": one, "image": one + ":1"} for one in programs}
make_plan("many", demo(["s0", "s1"]), context)
data = demo(["s%d" % number for number in range(services)])
start = time.process_time()
make_plan("many", data, context)
print(time.process_time() - start)
"""


def cpu_seconds(platform: str, services: int) -> float:
    """Return the seconds of CPU of the planner, in a process of its own whose imports are not counted.

    Raises:
        MeasurementError: The planner failed.
    """
    return float(run_planner(PLAN, platform, services))


def figures(_folder: Path) -> Iterator[Figure]:
    """Measure the planner on each platform, and write how its CPU time grows."""
    growth: dict[str, dict[int, float]] = {}
    for platform in PLATFORMS:
        growth[platform] = {
            number: min(cpu_seconds(platform, number) for _round in range(ROUNDS)) for number in SERVICES
        }
        yield figure(platform, growth[platform])
    lines = {
        name: [(float(number), taken) for number, taken in rows.items()] for name, rows in growth.items()
    }
    Growth("Seconds of CPU of the planner", ("services", "seconds"), lines).write("planner")
    for platform, points in lines.items():
        yield linear(f"the planner on {platform}", points)


def figure(platform: str, seconds: dict[int, float]) -> Figure:
    """Return the milliseconds for each of the most services, with the seconds of each number of services."""
    most = max(seconds)
    shown = ", ".join(f"{number}: {taken:.2f} s" for number, taken in seconds.items())
    return Figure(
        f"planner on {platform}, {most} services",
        seconds[most] / most * 1000,
        BOUND,
        "ms of CPU a service with a sidecar",
        f"CPU by number of services: {shown}",
    )
