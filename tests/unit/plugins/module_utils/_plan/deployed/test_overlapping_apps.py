# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of applications whose new generation has ports of its own, and of those that cannot run twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import clusters_of, workload_of

Planner = Callable[..., dict[str, Any]]

SERVER = {
    "image": "db:1",
    "command": ["db", "--port", "${port}", "--stats", "${stats}"],
    "ports": {"stats": {"port": 9000}},
}
DEMO: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {
        "web": {"app": {}, "sidecar": {}, "replicas": 2},
        "bare": {"app": {}},
        "db": {"server": SERVER, "protocol": "tcp"},
    },
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "publish": 18080, "routes": []}},
            "clusters": {"web": {"to": "web"}, "bare": {"to": "bare"}, "db": {"to": "db"}},
        }
    },
}


def changed(*path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(DEMO)
    mapping: Any = data
    for key in path[:-1]:
        mapping = mapping[key]
    mapping[path[-1]] = value
    return data


def ports_of(planned: Any, name: str) -> dict[str, int]:
    return {port["name"]: port["number"] for port in workload_of(planned, name)["ports"]}


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_new_generation_of_an_app_has_a_port_of_its_own(plan: Planner, platform: str) -> None:
    plans = [plan(DEMO, platform)]
    for value in ("1", "2"):
        data = changed("services", "bare", "app", value={"environment": {"A": value}})
        plans.append(plan(data, platform, deployed=plans[-1]["deployed"]))
        assert plans[-1]["replaced"] == [{"workload": "bare-1", "how": "overlap"}]
        assert plans[-1]["interruptions"] == []
        # Callers follow, and the ports of no other workload move.
        [endpoint] = clusters_of(plans[-1], "edge")["bare"]
        assert endpoint.endswith(f":{ports_of(plans[-1], 'bare-1')['app']}")
        for name in ("web-1", "web-1-envoy", "edge", "db-1"):
            assert workload_of(plans[-1], name) == workload_of(plans[0], name)
        assert plan(data, platform, deployed=plans[-1]["deployed"])["workloads"] == plans[-1]["workloads"]
    first, second, third = (ports_of(one, "bare-1")["app"] for one in plans)
    assert first == third != second
    assert [workload_of(one, "bare-1")["generation"] for one in plans] == [0, 1, 2]


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_sidecar_follows_the_port_of_its_app(plan: Planner, platform: str) -> None:
    data = changed("services", "web", "app", value={"version": "2"})
    planned = plan(data, platform, deployed=plan(DEMO, platform)["deployed"])
    assert [one["workload"] for one in planned["replaced"]] == ["web-1", "web-2"]
    for name in ("web-1", "web-2"):
        port = ports_of(planned, name)["app"]
        assert clusters_of(planned, name) == {"web": [f"127.0.0.1:{port}"]}
        assert workload_of(planned, name)["environment"]["DEMO_APP_PORT"] == str(port)
        assert workload_of(planned, name)["probe"]["port"] == port


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_all_ports_of_a_server_move(plan: Planner, platform: str) -> None:
    data = changed("services", "db", "server", "environment", value={"A": "1"})
    before = plan(DEMO, platform)
    planned = plan(data, platform, deployed=before["deployed"])
    assert planned["replaced"] == [{"workload": "db-1", "how": "overlap"}]
    old, new = ports_of(before, "db-1"), ports_of(planned, "db-1")
    assert not set(old.values()) & set(new.values())
    command = workload_of(planned, "db-1")["command"]
    assert command[1:] == ["--port", str(new["app"]), "--stats", str(new["stats"])]


def test_new_listener_keeps_the_port_of_an_app_on_docker(plan: Planner) -> None:
    data = changed("services", "web", "app", value={"version": "2"})
    moved = plan(data, "docker", deployed=plan(DEMO, "docker")["deployed"])
    assert moved["deployed"]["inner"] == {"web-1/app": 8081, "web-2/app": 8081}
    listeners = {"ingress": {"port": 10000}, "more": {"port": 8082, "routes": []}}
    data["services"]["web"]["sidecar"] = {"listeners": listeners}
    assert plan(data, "docker", deployed=moved["deployed"])["deployed"]["inner"] == moved["deployed"]["inner"]
    # The number that a previous generation chose is taken by the author: the next generation uses the author's number again.
    listeners["more"]["port"] = 8081
    planned = plan(data, "docker", deployed=moved["deployed"])
    assert planned["deployed"]["inner"] == {}
    assert workload_of(planned, "web-1")["generation"] == 2


OBSTACLES: dict[str, tuple[Any, str]] = {
    "published": ({"app": {}, "publish": 18081}, "port 18081 of the host"),
    "socket": ({"app": {}, "unix_socket": "web.sock", "sidecar": {}}, "Unix socket"),
    "datagrams": ({"app": {}, "protocol": "udp"}, "datagrams"),
    "fixed": ({"server": {"image": "db:1", "command": ["db"]}, "protocol": "tcp"}, "state port 8080"),
    "called": ({"app": {}}, "services.caller.app.calls.x reads its address only at start"),
}


@pytest.mark.parametrize("platform", ["local", "docker"])
@pytest.mark.parametrize("name", OBSTACLES)
def test_app_that_cannot_run_twice_is_an_interruption(plan: Planner, platform: str, name: str) -> None:
    service, reason = OBSTACLES[name]
    data = {"summary": "A shop", "ports": 20000, "services": {"web": service}}
    if name == "called":
        data["services"] = {"web": service, "caller": {"app": {"calls": {"x": "web/app"}}}}
    before = plan(data, platform)
    after = copy.deepcopy(data)
    program = "server" if "server" in service else "app"
    after["services"]["web"][program]["environment"] = {"A": "1"}
    planned = plan(after, platform, deployed=before["deployed"])
    assert planned["replaced"] == [{"workload": "web-1", "how": "stop"}]
    assert ports_of(planned, "web-1") == ports_of(before, "web-1")
    [one] = planned["interruptions"]
    assert one["workload"] == "web-1"
    assert reason in one["reason"]
    assert one["remedy"].endswith(".")


def test_directory_of_data_is_for_one_process(plan: Planner) -> None:
    server = {"image": "db:1", "command": ["db", "${port}", "${data}"]}
    data = {"summary": "A shop", "ports": 20000, "services": {"db": {"server": server, "protocol": "tcp"}}}
    # On docker each container has a directory of its own.
    found = {
        one: workload_of(plan(data, one), "db" if one == "kubernetes" else "db-1")["replacement"]
        for one in ("local", "docker", "kubernetes")
    }
    assert found == {"local": "stop", "docker": "overlap", "kubernetes": "rollout"}
