# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the assertions of a plan."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from shop_demo import Planner, changed, shop

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError


@pytest.mark.parametrize(
    ("at", "endpoints"),
    [
        ("edge", ["edge"]),
        ("web", ["web-1", "web-2"]),
        ("web-2", ["web-2"]),
        ("web-*", ["web-1", "web-2"]),
        (["edge", "web", "web-1"], ["edge", "web-1", "web-2"]),
    ],
)
def test_at_becomes_names_of_endpoints(plan: Planner, at: Any, endpoints: list[str]) -> None:
    (found,) = plan(shop(expectations=[{"at": at, "stat": "s", "op": "eq", "value": {"replicas": "web"}}]))[
        "assertions"
    ]
    assert found == {"endpoint": endpoints, "stat": "s", "op": "eq", "value": 2}


def error_of(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"at": "egde", "stat": "s"}, "expectations[0].at: unknown service or endpoint 'egde'. Did you mean 'edge'?"),
        ({"on": "edge", "stat": "s"}, "expectations[0]: unknown key 'on'. Use one of: "),
        ({"at": "edge", "stats": "s"}, "expectations[0]: unknown key 'stats'. Did you mean 'stat'?"),
        ({"at": "edge", "op": "eq", "value": 1}, "expectations[0]: "),
        ({"at": "edge", "stat": "s", "op": "equals", "value": 1}, "expectations[0].op"),
        ({"at": "edge", "stat": "s", "op": "eq"}, "expectations[0].value: a value is missing"),
        ({"at": "edge", "match": "[", "op": "eq", "value": 1}, "expectations[0].match"),
        (
            {"at": "edge", "stat": "s", "op": "eq", "value": {"traffic": "bye"}},
            "expectations[0].value.traffic: ",
        ),
        (
            {"at": "edge", "stat": "s", "op": "eq", "value": {"replicas": "edge"}},
            "expectations[0].value.replicas: unknown service 'edge'. Use one of: web.",
        ),
    ],
)  # fmt: skip
def test_wrong_expectation_is_refused(plan: Planner, entry: dict[str, Any], message: str) -> None:
    assert error_of(plan, shop(expectations=[entry])).startswith(f"shop.yml: {message}")


def test_expectation_at_service_without_envoy_is_refused(plan: Planner) -> None:
    data = changed("services.web.sidecar", None)
    del data["services"]["web"]["sidecar"]
    data["expectations"] = [{"at": "web", "stat": "s", "op": "eq", "value": 1}]
    assert (
        error_of(plan, data)
        == "shop.yml: expectations[0].at: 'web' has no Envoy. Add a sidecar, or name another endpoint."
    )


def test_reference_to_traffic_is_kept(plan: Planner) -> None:
    value = {"traffic": "hello", "status": "200"}
    entry = {"at": "edge", "stat": "s", "op": "eq", "value": value}
    assert plan(shop(expectations=[entry]))["assertions"][0]["value"] == value


WATCH_SHOP: dict[str, Any] = {
    "summary": "A shop with a monitor",
    "ports": 20000,
    "services": {
        "web": {"app": {}, "sidecar": {}, "replicas": 2},
        "bare": {"app": {}, "port": 8081},
        "watch": {
            "publish": 20090,
            "port": 9090,
            "server": {"image": "watch:1", "command": ["watch", "--listen=${address}:${port}"]},
        },
    },
    "proxies": {"edge": {"listeners": {"tls": {"port": 8443, "publish": 20043, "tls": {}, "routes": []}}}},
    "statsd_exporter": {"style": "statsd"},
}


def watch_shop(*watch_arguments: str, **server: Any) -> dict[str, Any]:
    data = copy.deepcopy(WATCH_SHOP)
    data["services"]["watch"]["server"]["command"] += watch_arguments
    data["services"]["watch"]["server"] |= server
    return data


def watch_arguments(planned: dict[str, Any]) -> list[str]:
    """Return the arguments of the server after its first one."""
    return [str(one) for one in workload(planned, "watch")["command"][2:]]


def workload(planned: dict[str, Any], group: str, name: str = "") -> dict[str, Any]:
    return next(one for one in planned["workloads"] if one["group"] == group and name in one["name"])


def port(planned: dict[str, Any], group: str, slot: str, name: str = "") -> dict[str, Any]:
    return next(one for one in workload(planned, group, name)["ports"] if one["name"] == slot)


def test_expectation_queries_a_prometheus_server(plan: Planner) -> None:
    entry = {
        "at": "watch/app",
        "promql": "up",
        "op": "eq",
        "value": {"at": "web", "stat": "a.b", "across": "sum"},
    }
    data = {**watch_shop(promql="/mine"), "expectations": [entry]}
    planned = plan(data, "docker")
    (server,) = (one for one in planned["endpoints"] if one["format"] == "promql")
    assert (server["name"], server["url"]) == ("watch-1/app", "http://127.0.0.1:20090/mine")
    (assertion,) = planned["assertions"]
    assert assertion["endpoint"] == ["watch-1/app"]
    assert assertion["value"] == {"endpoint": ["web-1", "web-2"], "stat": "a.b", "across": "sum"}
    (pods,) = (one for one in plan(data, "kubernetes")["endpoints"] if one["format"] == "promql")
    assert (pods["name"], pods["port"], pods["path"]) == ("watch/app", 9090, "/mine")
    # Prometheus does not scrape it.
    assert port(planned, "watch", "app")["metrics"] is False


def test_value_read_at_unknown_endpoint_is_refused(plan: Planner) -> None:
    entry = {"at": "web", "stat": "a", "op": "eq", "value": {"at": "wbe", "stat": "b"}}
    with pytest.raises(
        DemoError,
        match=r"expectations\[0\]\.value\.at: unknown service or endpoint 'wbe'. Did you mean 'web'\?",
    ):
        plan({**watch_shop(), "expectations": [entry]}, "docker")
