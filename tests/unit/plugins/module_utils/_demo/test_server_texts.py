# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the placeholders in the texts of a server: their values, and the connections that they imply."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import objects_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]


SHOP: dict[str, Any] = {
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


def shop(*arguments: str, **server: Any) -> dict[str, Any]:
    data = copy.deepcopy(SHOP)
    data["services"]["watch"]["server"]["command"] += arguments
    data["services"]["watch"]["server"] |= server
    return data


def server_arguments(planned: dict[str, Any]) -> list[str]:
    """Return the arguments of the server after its first one."""
    return [str(one) for one in workload(planned, "watch")["command"][2:]]


def workload(planned: dict[str, Any], group: str, name: str = "") -> dict[str, Any]:
    return next(one for one in planned["workloads"] if one["group"] == group and name in one["name"])


PLACEHOLDERS = (
    "${web/admin}",
    "${web/ingress.host}",
    "${bare/app.port}",
    "${statsd_exporter}",
    "${edge/tls}",
    "${watch/app}",
)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("docker", ["http://web-1:9902", "web-1", "8081", "http://statsd_exporter:9102", "https://edge:8443", "http://127.0.0.1:9090"]),
        (
            "kubernetes",
            [
                "http://shop-web-pods:9902",
                "shop-web-pods",
                "8081",
                "http://shop-statsd-exporter-pods:9102",
                "https://shop-edge-pods:8443",
                "http://127.0.0.1:9090",
            ],
        ),
    ],
)  # fmt: skip
def test_placeholders_have_addresses_of_the_platform(
    plan: Planner, platform: str, expected: list[str]
) -> None:
    assert server_arguments(plan(shop(*PLACEHOLDERS), platform)) == expected


def port(planned: dict[str, Any], group: str, slot: str, name: str = "") -> dict[str, Any]:
    return next(one for one in workload(planned, group, name)["ports"] if one["name"] == slot)


def test_placeholders_on_a_host_have_its_ports(plan: Planner) -> None:
    planned = plan(shop(*PLACEHOLDERS), "local")
    admin, ingress = (port(planned, "web", slot, "web-1-envoy")["number"] for slot in ("admin", "ingress"))
    exporter, bare = (
        port(planned, "statsd_exporter", "http")["number"],
        port(planned, "bare", "app")["number"],
    )
    assert server_arguments(planned) == [
        f"http://127.0.0.1:{admin}",
        "127.0.0.1",
        str(bare),
        f"http://127.0.0.1:{exporter}",
        "https://127.0.0.1:20043",
        "http://127.0.0.1:20090",
    ]
    assert ingress != admin


def test_placeholders_are_filled_in_all_texts(plan: Planner) -> None:
    server = {
        "environment": {"WEB": "${web/admin.host}"},
        "files": {"a.yml": "web: ${web/admin}, not $${web/admin}"},
    }
    planned = plan(shop(**server), "docker")
    assert workload(planned, "watch")["environment"] == {"WEB": "web-1"}
    content = next(one["content"] for one in planned["files"] if one["path"] == "files/watch/a.yml")
    assert content == "web: http://web-1:9902, not ${web/admin}"


def test_server_in_exporter_network_uses_loopback(plan: Planner) -> None:
    data = shop("${statsd_exporter}")
    data["statsd_exporter"] = {"style": "statsd", "shares_network_with": "watch"}
    assert (
        server_arguments(plan(data, "docker"))
        == server_arguments(plan(data, "kubernetes"))
        == ["http://127.0.0.1:9102"]
    )
    data["statsd_exporter"]["shares_network_with"] = "web"
    assert server_arguments(plan(data, "docker")) == ["http://web-1:9102"]
    assert server_arguments(plan(data, "kubernetes")) == ["http://shop-statsd-exporter-pods:9102"]


def test_service_without_replicas_has_an_address(plan: Planner) -> None:
    assert server_arguments(plan(shop("${web/admin}"), "docker", replicas={"web": 0})) == [
        "http://web-1:9902"
    ]


def test_referenced_app_listens_on_all_addresses(plan: Planner) -> None:
    for placeholders, address in (
        ((), "127.0.0.1"),
        (("${web/admin}",), "127.0.0.1"),
        (("${web/app}",), "0.0.0.0"),
    ):
        app = next(one for one in plan(shop(*placeholders), "docker")["workloads"] if one["name"] == "web-1")
        assert app["environment"]["DEMO_APP_BIND"] == address


def test_network_policy_admits_the_referring_server(plan: Planner) -> None:
    without, planned = (
        plan(shop(), "kubernetes"),
        plan(shop("${web/admin}", "${statsd_exporter.port}"), "kubernetes"),
    )
    server = {
        "podSelector": {"matchLabels": {"meshlab.envoy/demo": "shop", "app.kubernetes.io/name": "watch"}}
    }
    before, after = (objects_of(one, "NetworkPolicy") for one in (without, planned))
    for name, number in (("shop-web", 9902), ("shop-statsd-exporter", 9102)):
        more = [rule for rule in after[name]["ingress"] if rule not in before[name]["ingress"]]
        assert more == [{"from": [server], "ports": [{"port": number, "protocol": "TCP"}]}]
        assert [rule for rule in before[name]["ingress"] if rule not in after[name]["ingress"]] == []
        del after[name], before[name]
    assert after == before
    services = objects_of(planned, "Service")
    assert [one["port"] for one in services["shop-web-pods"]["ports"]] == [9902]
    assert [one["port"] for one in services["shop-statsd-exporter-pods"]["ports"]] == [9102, 9125]


@pytest.mark.parametrize("word", ["web/admn", "web", "edge/admin.name", "statsd", "statsd_exporter/http"])
def test_unknown_placeholder_is_refused(plan: Planner, word: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(shop(files={"a": f"${{{word}}}"}), "docker")
    assert str(caught.value) == (
        f"shop.yml: services.watch.server.files.a: unknown placeholder '${{{word}}}'."
        " Use one of: address, port, files, data, unix_socket, web/app,"
        " web/ingress, web/admin, bare/app, watch/app, edge/tls, edge/admin, statsd_exporter;"
        f" or write $${{{word}}} for that text itself."
    )


def test_placeholder_of_removed_edge_is_refused(plan: Planner) -> None:
    data = shop("${edge/tls}")
    data["proxies"]["edge"]["listeners"]["tls"]["routes"] = [
        {"match": {"prefix": "/"}, "route": {"cluster": "web"}}
    ]
    data["proxies"]["edge"]["clusters"] = {"web": {"to": "web"}}
    with pytest.raises(DemoError, match=r"unknown placeholder '\${edge/tls}'"):
        plan(data, "kubernetes", edge="service")
