# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of interruptions, which a plan names before anything happens."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

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


def interrupted(
    plan: Planner, platform: str, data: Any, before: Any = None, deployed: Any = None
) -> list[str]:
    record = deployed or plan(before or DEMO, platform)["deployed"]
    return [one["workload"] for one in plan(data, platform, deployed=record)["interruptions"]]


def compose_of(planned: Any) -> Any:
    [text] = [one["content"] for one in planned["files"] if one["path"] == "compose.yaml"]
    return yaml.safe_load(text)["services"]


def test_published_port_interrupts_an_instance_on_docker(plan: Planner) -> None:
    assert interrupted(plan, "docker", edge_with(publish=18082)) == ["edge"]
    assert interrupted(plan, "docker", edge_with(publish=18083), edge_with(publish=18082)) == ["edge"]
    assert interrupted(plan, "docker", edge_with()) == []


def test_port_that_is_removed_stays_in_its_network_on_docker(plan: Planner) -> None:
    published = plan(edge_with(publish=18082), "docker")
    removed = plan(DEMO, "docker", deployed=published["deployed"])
    assert removed["interruptions"] == []
    assert removed["deployed"]["networks"] == published["deployed"]["networks"]
    assert "127.0.0.1:18082:8081" in removed["deployed"]["networks"]["edge-network"]["published"]
    assert compose_of(removed)["edge-network"] == compose_of(published)["edge-network"]
    assert [one for one in removed["warnings"] if "port 18082 of edge stays reserved" in one]
    again = plan(DEMO, "docker", deployed=removed["deployed"])
    assert (again["deployed"], again["warnings"]) == (removed["deployed"], [])
    # The port is there if the listener returns, and is removed with another change of the network.
    assert interrupted(plan, "docker", edge_with(publish=18082), DEMO, again["deployed"]) == []
    other = plan(edge_with(publish=18083), "docker", deployed=again["deployed"])
    assert [one["workload"] for one in other["interruptions"]] == ["edge"]
    assert "127.0.0.1:18082:8081" not in other["deployed"]["networks"]["edge-network"]["published"]


def test_port_that_something_else_needs_does_not_stay(plan: Planner) -> None:
    published = edge_with(publish=18082)
    # Its listener stays, and must not be reachable from the host any more.
    assert interrupted(plan, "docker", edge_with(), published) == ["edge"]
    moved = copy.deepcopy(DEMO)
    moved["services"]["web"]["sidecar"] = {"listeners": {"ingress": {"port": 10000, "publish": 18082}}}
    assert interrupted(plan, "docker", moved, published) == ["web-1", "edge"]


def test_app_does_not_move_to_a_port_that_stays_published(plan: Planner) -> None:
    data = copy.deepcopy(DEMO)
    number = next(
        one["ports"][0]["number"] for one in plan(data, "docker")["workloads"] if one["name"] == "web-1"
    )
    stays = {"other": {"port": 10000, "publish": 18083}}
    data["services"]["web"]["sidecar"] = {
        "listeners": {**stays, "more": {"port": number + 1, "publish": 18082}}
    }
    record = plan(data, "docker")["deployed"]
    changed = copy.deepcopy(DEMO)
    changed["services"]["web"]["app"] = {"environment": {"A": "1"}}
    changed["services"]["web"]["sidecar"] = {"listeners": stays}
    planned = plan(changed, "docker", deployed=record)
    assert planned["interruptions"] == []
    assert planned["deployed"]["inner"] == {"web-1/app": number + 2}


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


def with_threads(number: int) -> dict[str, Any]:
    data = copy.deepcopy(DEMO)
    data["proxies"]["edge"]["concurrency"] = number
    return data


@pytest.mark.parametrize(
    ("platform", "remedy"), [("local", "Set the sysctl net.ipv4.tcp_migrate_req"), ("docker", "Deploy it")]
)
def test_fewer_threads_are_announced(plan: Planner, platform: str, remedy: str) -> None:
    record = plan(with_threads(4), platform)["deployed"]
    assert record["workloads"]["edge"]["threads"] == 4
    [one] = plan(with_threads(2), platform, deployed=record)["interruptions"]
    assert (one["workload"], one["remedy"].startswith(remedy)) == ("edge", True)
    assert one["reason"].startswith("it has 2 in place of 4 worker threads, and connections")
    assert interrupted(plan, platform, with_threads(4), with_threads(2)) == []
    assert interrupted(plan, "kubernetes", with_threads(2), with_threads(4)) == []


def test_fewer_threads_lose_nothing_where_connections_migrate(plan: Planner) -> None:
    record = plan(with_threads(4), "local")["deployed"]
    planned = plan(with_threads(2), "local", deployed=record, migrates_connections=True)
    assert ([one["workload"] for one in planned["replaced"]], planned["interruptions"]) == (["edge"], [])


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_first_deployment_interrupts_nothing(plan: Planner, platform: str) -> None:
    planned = plan(DEMO, platform)
    assert planned["replaced"] == planned["interruptions"] == []


def test_envoy_of_a_distroless_image_is_stopped_on_docker(plan: Planner) -> None:
    data = {**DEMO, "envoy": {"image": "envoyproxy/envoy:distroless-v1.40.0"}}
    record = plan(data, "docker")["deployed"]
    changed = copy.deepcopy(data)
    changed["proxies"]["edge"]["concurrency"] = 2
    planned = plan(changed, "docker", deployed=record)
    assert planned["replaced"] == [{"workload": "edge", "how": "stop"}]
    [one] = planned["interruptions"]
    assert one["reason"].startswith("its image envoyproxy/envoy:distroless-v1.40.0 has no shell")
    assert interrupted(plan, "docker", {**changed, "envoy": {}}, {**data, "envoy": {}}) == []
