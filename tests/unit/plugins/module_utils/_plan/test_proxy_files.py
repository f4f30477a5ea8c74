# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the files, the environment and the placeholders of proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import workload_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]
ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
STORED = {"geo.mmdb": b"\xab\xcd\xefMaxMind", "a.lua": b"-- ${files}"}


def demo(**edge: Any) -> dict[str, Any]:
    return {
        "summary": "A shop",
        "ports": 20000,
        "services": {"web": {"app": {}}, "auth": {"app": {}}},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": 8080, "publish": 8080, "routes": ROUTES}},
                "clusters": {"web": {"to": "web"}},
                **edge,
            }
        },
    }


def content(plan: dict[str, Any], path: str) -> str:
    (found,) = (one["content"] for one in plan["files"] if one["path"] == path)
    return str(found)


FILES = {"geo.mmdb": {"source": "geo.mmdb"}, "lua/a.lua": {"source": "a.lua"}, "t": "${files} $${files}"}


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_files_of_a_proxy_are_in_its_directory(plan: Planner, platform: str) -> None:
    data = demo(
        files=FILES, environment={"ZONE": "north", "HOME": "${data}"}, bootstrap={"flags_path": "${files}/t"}
    )
    planned = plan(data, platform, files=STORED)
    assert content(planned, "edge/files/geo.mmdb") == "q83vTWF4TWluZA=="
    assert content(planned, "edge/files/lua/a.lua") == "-- ${files}"
    assert content(planned, "edge/files/t") == "edge/files ${files}"
    assert "flags_path: edge/files/t" in content(planned, "edge/bootstrap.yaml")
    directory = "data/edge" if platform == "local" else "/tmp"
    assert workload_of(planned, "edge")["environment"] == {"ZONE": "north", "HOME": directory}
    assert ("data/edge" in [one["path"] for one in planned["directories"]]) == (platform == "local")


def test_files_of_a_proxy_are_in_its_config_map(plan: Planner) -> None:
    planned = plan(demo(files=FILES), "kubernetes", files=STORED)
    (config,) = (
        one for one in planned["manifests"] if one["kind"] == "ConfigMap" and "bootstrap.yaml" in one["data"]
    )
    assert config["binaryData"] == {"files__geo.mmdb": "q83vTWF4TWluZA=="}
    assert config["data"]["files__lua__a.lua"] == "-- ${files}"


def test_changed_file_restarts_the_proxy(plan: Planner) -> None:
    digests = [
        workload_of(plan(demo(files=FILES), files={**STORED, "a.lua": text}), "edge")["digest"]
        for text in (b"1", b"2")
    ]
    assert digests[0] != digests[1]


def test_address_in_a_text_of_a_proxy_is_a_connection(plan: Planner) -> None:
    data = demo(bootstrap={"flags_path": "${auth/app}/check", "header_prefix": "${auth/app.host}"})
    assert "flags_path: http://auth-1:8080/check" in content(plan(data, "docker"), "edge/bootstrap.yaml")
    (port,) = workload_of(plan(data, "kubernetes"), "auth")["ports"]
    assert port["peers"] == ["edge"]
    assert workload_of(plan(demo(), "kubernetes"), "auth")["ports"][0]["peers"] == []


def test_environment_of_a_pod_is_not_expanded(plan: Planner) -> None:
    planned = plan(demo(environment={"A": "$(POD_NAME)"}), "kubernetes")
    edge = next(
        one
        for one in planned["manifests"]
        if one["metadata"]["name"] == "shop-edge" and one["kind"] == "Deployment"
    )
    (container,) = edge["spec"]["template"]["spec"]["containers"]
    assert {"name": "A", "value": "$$(POD_NAME)"} in container["env"]


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ({"files": {"/a": ""}}, "shop.yml: proxies.edge.files./a: the path leaves the directory of the files."),
        ({"files": {"a": "${x}"}}, "shop.yml: proxies.edge.files.a: unknown placeholder '${x}'. Use one of: files, data,"),
        ({"bootstrap": {"flags_path": "${x}"}}, "shop.yml: proxies.edge.bootstrap.flags_path: unknown placeholder '${x}'."),
        ({"environment": {"A": True}}, "shop.yml: proxies.edge.environment.A: expected text, got true. Put it in quotes."),
    ],
)  # fmt: skip
def test_wrong_text_of_a_proxy_is_refused(plan: Planner, edge: dict[str, Any], message: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(demo(**edge))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("platform", "mode"), [("local", "0600"), ("docker", "0644")])
def test_sensitive_file_has_the_mode_of_a_key(plan: Planner, platform: str, mode: str) -> None:
    data = demo(files={"token": {"content": "x", "sensitive": True}})
    data["services"]["db"] = {
        "server": {"image": "x", "command": ["x", "${port}"], "files": data["proxies"]["edge"]["files"]}
    }
    found = [one for one in plan(data, platform)["files"] if one["path"].endswith("/token")]
    assert [(one["mode"], one["sensitive"]) for one in found] == [(mode, True)] * 2
    names = [
        one["kind"] for one in plan(data, "kubernetes")["manifests"] if "files__token" in one.get("data", ())
    ]
    assert names == ["Secret"]
