# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the work of the planner grows linearly with the number of services."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._plan import plan as plan_module
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

COLLECTION = str(Path(plan_module.__file__).parents[1])
FEW = 6
# The first 100 ports of a demo on local are taken by the position of their group, and the further ports by the next number.
BENT = "port_assignment."
PROGRAMS = ("envoy", "python", "statsd_exporter", "supervisord")
CONTEXT = {
    "folder": "/state",
    "app": "",
    "mappings": {"statsd": {}},
    **{one: {"executable": one, "image": f"{one}:1"} for one in PROGRAMS},
}


def demo(services: int) -> dict[str, Any]:
    """Return a demo in which each service has a sidecar, a caller, a route, requests and an expectation."""
    names = [f"s{number}" for number in range(services)]
    return {
        "summary": "Many services",
        "ports": 20000,
        "services": {
            name: {
                "publish": 30000 + number,
                "app": {"calls": {"next": names[number - 1]} if number else {}},
                "sidecar": {"listeners": {"ingress": {"port": 10000, "tls": {}}}} if number % 2 else {},
            }
            for number, name in enumerate(names)
        },
        "proxies": {
            "edge": {
                "listeners": {
                    "http": {
                        "port": 8080,
                        "publish": 18080,
                        "routes": [
                            {"match": {"prefix": f"/{one}"}, "route": {"cluster": one}} for one in names
                        ],
                    }
                },
                "clusters": {
                    one: {"to": one, **({"tls": {}} if number % 2 else {})}
                    for number, one in enumerate(names)
                },
            }
        },
        "statsd_exporter": {"publish": 19102, "style": "statsd"},
        "changes": {"more": {"summary": "More", "set": {"services": {"s0": {"replicas": 2}}}}},
        "traffic": [{"name": one, "to": "edge", "path": f"/{one}", "requests": 1} for one in names],
        "expectations": [{"at": one, "stat": "server.live", "op": "eq", "value": 1} for one in names],
    }


def planned_twice(platform: str, services: int) -> None:
    """Plan a demo, and then a change of its deployment."""
    data = demo(services)
    first = make_plan("many", data, {**CONTEXT, "platform": platform})
    make_plan(
        "many", data, {**CONTEXT, "platform": platform, "change": "more", "deployed": first["deployed"]}
    )


def lines_run(action: Callable[[], None], folder: str = COLLECTION) -> Counter[str]:
    """Return how many lines of each function below a folder an action runs. Each step of a loop is a line."""
    found: Counter[CodeType] = Counter()

    def in_frame(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            found[frame.f_code] += 1
        return in_frame

    def of_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return in_frame if frame.f_code.co_filename.startswith(folder) else None

    previous = sys.gettrace()
    sys.settrace(of_call)
    try:
        action()
    finally:
        sys.settrace(previous)
    return Counter(
        {
            f"{Path(code.co_filename).stem}.{code.co_name}, line {code.co_firstlineno}": count
            for code, count in found.items()
        }
    )


def quadratic_functions(platform: str) -> list[str]:
    """Return the functions that run a line for each pair of services.

    For q lines a pair, the lines of FEW, 2 × FEW and 4 × FEW services differ by 6 × FEW² × q from those of linear growth.
    """
    planned_twice(platform, 4 * FEW)  # fills caches
    few, twice, many = (
        lines_run(lambda services=services: planned_twice(platform, services))  # type: ignore[misc]
        for services in (FEW, 2 * FEW, 4 * FEW)
    )
    return [
        name
        for name in many
        if not name.startswith(BENT) and many[name] - 3 * twice[name] + 2 * few[name] > 3 * FEW**2
    ]


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes", "openshift"])
def test_work_per_service_is_constant(platform: str) -> None:
    assert not quadratic_functions(platform)


def test_a_scan_for_each_service_is_found() -> None:
    def scans(services: int) -> None:
        names = [str(number) for number in range(services)]
        for one in names:
            assert [other for other in names if other == one]

    counts = [lines_run(lambda n=n: scans(n), __file__).total() for n in (FEW, 2 * FEW, 4 * FEW)]  # type: ignore[misc]
    assert counts[2] - 3 * counts[1] + 2 * counts[0] > 3 * FEW**2
