# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A demo of more than a hundred containers: it starts, verifies, grows without another restart, and its teardown leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cases import PortBlock
from deployment import Deployment, failure_messages, take_down
from live import Home, containers

pytestmark = [pytest.mark.docker, pytest.mark.slow]

NAME = "large"
SERVICES = 36
# Published ports, by their position in the block.
EDGE, DIRECT = 80, 81


@pytest.fixture
def home() -> Iterator[Home]:
    one = Home("docker", publishes=False)
    yield one
    one.close()


def large_demo(first: int, services: int) -> dict[str, Any]:
    """Return a demo of services with sidecars behind an edge; the sidecar of the first one is published, too."""
    names = [f"s{number}" for number in range(services)]
    routes = [
        {"match": {"prefix": f"/{name}/"}, "route": {"cluster": name, "prefix_rewrite": "/"}}
        for name in names
    ]
    published = {"listeners": {"ingress": {"port": 10000, "publish": first + DIRECT}}}
    return {
        "summary": "Many containers",
        "ports": first,
        "services": {name: {"app": {}, "sidecar": published if name == "s0" else {}} for name in names},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": first + EDGE, "publish": first + EDGE, "routes": routes}},
                "clusters": {name: {"to": name} for name in names},
            }
        },
        "traffic": [
            {
                "name": name,
                "to": "edge/http",
                "path": f"/{name}/healthz",
                "requests": 3,
                "expect": [{"status": 200, "op": "eq", "value": 3}],
            }
            for name in names
        ],
    }


def test_demo_of_a_hundred_containers_runs_and_grows(home: Home, block: PortBlock) -> None:
    def deployed(services: int) -> dict[str, Any]:
        deployment = Deployment(home, NAME, large_demo(block.first, services))
        plan = deployment.plan()
        result = deployment.run(plan)
        assert not result["failed"], result["msg"]
        assert failure_messages(deployment.verify(plan, timeout=30)) == []
        return result

    try:
        deployed(SERVICES)
        before = [one for one in containers(home.name(NAME)) if one.startswith("container ")]
        assert len(before) == 3 * SERVICES + 2
        grown = deployed(SERVICES + 1)
        assert grown["started"] == [f"s{SERVICES}-1", f"s{SERVICES}-1-envoy"]
        assert (grown["restarted"], grown["removed"]) == ([], [])
        assert {*before} < {*containers(home.name(NAME))}
        assert deployed(SERVICES + 1)["changed"] is False
    finally:
        take_down(home, NAME)
    assert home.remaining(NAME) == []
    assert not home.state(NAME).exists()
