# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the checks of a layout: equal names and equal ports."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]


SHOP: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {
        "web": {"app": {"service": "1"}, "sidecar": {}, "replicas": 3},
        "bare": {"app": {}, "port": 8081},
    },
    "proxies": {
        "edge": {
            "listeners": {
                "http": {"port": 8080, "publish": 18080, "routes": []},
                "inner": {"port": 8082, "routes": []},
            },
            "clusters": {"web": {"to": "web"}, "bare": {"to": "bare"}},
        }
    },
}


def shop(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SHOP), **keys}


def error_of(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_equal_published_ports_are_refused(plan: Planner, platform: str) -> None:
    data = shop()
    data["services"]["bare"]["publish"] = 18080
    assert error_of(plan, data, platform) == (
        "shop.yml: port 18080: both bare-1/app and edge/http use it on the host. Change one of the ports."
    )


def with_edge(**keys: Any) -> dict[str, Any]:
    data = shop()
    data["proxies"]["edge"] |= keys
    return data


def test_equal_ports_in_a_network_are_refused(plan: Planner) -> None:
    data = shop()
    data["services"]["web"] = {"port": 10000, "sidecar": {}}
    assert error_of(plan, data, "docker") == (
        "shop.yml: port 10000: both web-1/app and web-1/ingress use it on web-1. Change one of the ports."
    )
    assert plan(data, "local")  # where each has a port of its own
    assert "port 9902: both edge/http and edge/admin use it" in error_of(
        plan, with_edge(listeners={"http": {"port": 9902, "routes": []}}), "docker"
    )


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_published_port_in_the_block_has_one_owner(plan: Planner, platform: str) -> None:
    listeners = {"http": {"port": 8080, "publish": 20001, "routes": []}}
    record = plan(with_edge(listeners=listeners), platform)["deployed"]
    assert record["stated"] == {"edge/http": 20001}
    assert 20001 not in record["ports"].values()


def test_demo_without_a_free_port_is_refused(plan: Planner) -> None:
    services = {f"s{number}": {"sidecar": {}, "replicas": 10} for number in range(4)}
    used = list(range(65440, 65536))
    assert error_of(plan, shop(ports=65436, services=services, proxies={}), used_ports=used) == (
        "shop.yml: s1-9/ingress: no port from 65436 on is free for it. Use fewer replicas or services, or a lower number in 'ports'."
    )


@pytest.mark.parametrize(
    ("services", "proxies", "message"),
    [
        (
            {"web": {}},
            {"web-1": {}},
            "proxies.web-1: the name 'web-1' is already the name of an instance of services.web. Choose another name.",
        ),
        (
            {"web": {"sidecar": {}}},
            {"web-1-envoy": {}},
            "proxies.web-1-envoy: the name 'web-1-envoy' is already the name of an instance of services.web.",
        ),
        ({"a": {"replicas": 2}, "a-1": {}}, {}, None),
        (
            {"a": {"replicas": 2}, "a-1": {"replicas": 2}},
            {"a-1-2": {}},
            "proxies.a-1-2: the name 'a-1-2' is already the name of an instance of services.a-1.",
        ),
    ],
)
def test_equal_instance_names_are_refused(
    plan: Planner, services: Any, proxies: Any, message: str | None
) -> None:
    data = shop(services=services, proxies=proxies)
    if message:
        assert error_of(plan, data).startswith(f"shop.yml: {message}")
    else:
        assert plan(data)["workloads"]
