# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of interruptions, which a plan names before anything happens."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

Planner = Callable[..., dict[str, Any]]

DEMO: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {"web": {"app": {}, "sidecar": {}}, "bare": {"app": {}, "publish": 18081}},
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "publish": 18080, "routes": []}},
            "clusters": {"web": {"to": "web"}},
        }
    },
}


def edge_with(**listener: Any) -> dict[str, Any]:
    data = copy.deepcopy(DEMO)
    data["proxies"]["edge"]["listeners"]["more"] = {"port": 8081, "routes": [], **listener}
    return data


def interrupted(plan: Planner, platform: str, data: Any, before: Any = None) -> list[str]:
    record = plan(before or DEMO, platform)["deployed"]
    return [one["workload"] for one in plan(data, platform, deployed=record)["interruptions"]]


def test_published_port_interrupts_an_instance_on_docker(plan: Planner) -> None:
    assert interrupted(plan, "docker", edge_with(publish=18082)) == ["edge-network"]
    assert interrupted(plan, "docker", DEMO, edge_with(publish=18082)) == ["edge-network"]
    assert interrupted(plan, "docker", edge_with()) == []


@pytest.mark.parametrize("platform", ["local", "kubernetes"])
def test_published_port_interrupts_nothing_elsewhere(plan: Planner, platform: str) -> None:
    assert interrupted(plan, platform, edge_with(publish=18082)) == []


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_published_app_is_interrupted(plan: Planner, platform: str) -> None:
    data = copy.deepcopy(DEMO)
    data["services"]["bare"]["app"] = {"environment": {"A": "1"}}
    assert interrupted(plan, platform, data) == ["bare-1"]
    [one] = plan(data, platform, deployed=plan(DEMO, platform)["deployed"])["interruptions"]
    assert one["reason"]
    assert one["remedy"].endswith(".")


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_first_deployment_interrupts_nothing(plan: Planner, platform: str) -> None:
    planned = plan(DEMO, platform)
    assert planned["replaced"] == planned["interruptions"] == []
