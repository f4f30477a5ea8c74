# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that are told where others are: what the words stand for on each platform, and who may then be reached by whom."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]
SHOP: dict[str, Any] = {
    "summary": "A shop that somebody watches",
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


def shop(*told: str, **server: Any) -> dict[str, Any]:
    data = copy.deepcopy(SHOP)
    data["services"]["watch"]["server"]["command"] += told
    data["services"]["watch"]["server"] |= server
    return data


def told(made: dict[str, Any]) -> list[str]:
    """The last words of the server's command."""
    return [str(one) for one in workload(made, "watch")["command"][2:]]


def workload(made: dict[str, Any], group: str, name: str = "") -> dict[str, Any]:
    return next(one for one in made["workloads"] if one["group"] == group and name in one["name"])


def port(made: dict[str, Any], group: str, slot: str, name: str = "") -> dict[str, Any]:
    return next(one for one in workload(made, group, name)["ports"] if one["name"] == slot)


def objects(made: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in made["manifests"] if one["kind"] == kind}


WORDS = (
    "${web/admin}",
    "${web/ingress.host}",
    "${bare/app.port}",
    "${statsd_exporter}",
    "${edge/tls}",
    "${watch/app}",
)


@pytest.mark.parametrize(
    ("platform", "said"),
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
def test_a_server_is_told_where_others_are(plan: Planner, platform: str, said: list[str]) -> None:
    assert told(plan(shop(*WORDS), platform)) == said


def test_on_one_host_others_are_at_their_own_ports(plan: Planner) -> None:
    made = plan(shop(*WORDS), "local")
    admin, ingress = (port(made, "web", slot, "web-1-envoy")["number"] for slot in ("admin", "ingress"))
    exporter, bare = port(made, "statsd_exporter", "http")["number"], port(made, "bare", "app")["number"]
    assert told(made) == [
        f"http://127.0.0.1:{admin}",
        "127.0.0.1",
        str(bare),
        f"http://127.0.0.1:{exporter}",
        "https://127.0.0.1:20043",
        "http://127.0.0.1:20090",
    ]
    assert ingress != admin


def test_words_are_filled_in_wherever_a_server_is_told_something(plan: Planner) -> None:
    server = {
        "environment": {"WEB": "${web/admin.host}"},
        "files": {"a.yml": "web: ${web/admin}, not $${web/admin}"},
    }
    made = plan(shop(**server), "docker")
    assert workload(made, "watch")["environment"] == {"WEB": "web-1"}
    content = next(one["content"] for one in made["files"] if one["path"] == "files/watch/a.yml")
    assert content == "web: http://web-1:9902, not ${web/admin}"


def test_who_is_beside_the_exporter_asks_it_on_loopback(plan: Planner) -> None:
    data = shop("${statsd_exporter}")
    data["statsd_exporter"] = {"style": "statsd", "shares_network_with": "watch"}
    assert told(plan(data, "docker")) == told(plan(data, "kubernetes")) == ["http://127.0.0.1:9102"]
    data["statsd_exporter"]["shares_network_with"] = "web"
    assert told(plan(data, "docker")) == ["http://web-1:9102"]
    assert told(plan(data, "kubernetes")) == ["http://shop-statsd-exporter-pods:9102"]


def test_a_service_that_is_away_has_an_address_all_the_same(plan: Planner) -> None:
    assert told(plan(shop("${web/admin}"), "docker", replicas={"web": 0})) == ["http://web-1:9902"]


def test_an_app_behind_a_sidecar_listens_to_the_server_that_is_told_of_it(plan: Planner) -> None:
    for words, address in (((), "127.0.0.1"), (("${web/admin}",), "127.0.0.1"), (("${web/app}",), "0.0.0.0")):
        app = next(one for one in plan(shop(*words), "docker")["workloads"] if one["name"] == "web-1")
        assert app["environment"]["DEMO_APP_BIND"] == address


def test_policies_let_the_server_in_where_it_asks_and_nobody_else(plan: Planner) -> None:
    without, made = (
        plan(shop(), "kubernetes"),
        plan(shop("${web/admin}", "${statsd_exporter.port}"), "kubernetes"),
    )
    server = {
        "podSelector": {"matchLabels": {"meshlab.envoy/demo": "shop", "app.kubernetes.io/name": "watch"}}
    }
    before, after = (objects(one, "NetworkPolicy") for one in (without, made))
    for name, number in (("shop-web", 9902), ("shop-statsd-exporter", 9102)):
        more = [rule for rule in after[name]["ingress"] if rule not in before[name]["ingress"]]
        assert more == [{"from": [server], "ports": [{"port": number, "protocol": "TCP"}]}]
        assert [rule for rule in before[name]["ingress"] if rule not in after[name]["ingress"]] == []
        del after[name], before[name]
    assert after == before
    services = objects(made, "Service")
    assert [one["port"] for one in services["shop-web-pods"]["ports"]] == [9902]
    assert [one["port"] for one in services["shop-statsd-exporter-pods"]["ports"]] == [9102, 9125]


@pytest.mark.parametrize("word", ["web/admn", "web", "edge/admin.name", "statsd", "statsd_exporter/http"])
def test_a_word_that_stands_for_nothing_is_told(plan: Planner, word: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(shop(files={"a": f"${{{word}}}"}), "docker")
    assert str(caught.value) == (
        f"shop.yml: services.watch.server.files.a: unknown placeholder '${{{word}}}'. Use one of: address, port, files, data, web/app,"
        " web/ingress, web/admin, bare/app, watch/app, edge/tls, edge/admin, statsd_exporter;"
        f" or write $${{{word}}} for that text itself."
    )


def test_an_edge_that_was_left_out_is_told(plan: Planner) -> None:
    data = shop("${edge/tls}")
    data["proxies"]["edge"]["listeners"]["tls"]["routes"] = [
        {"match": {"prefix": "/"}, "route": {"cluster": "web"}}
    ]
    data["proxies"]["edge"]["clusters"] = {"web": {"to": "web"}}
    with pytest.raises(DemoError, match=r"unknown placeholder '\${edge/tls}'"):
        plan(data, "kubernetes", edge="service")


# Expectations that ask a server


def test_expectations_query_a_prometheus_server(plan: Planner) -> None:
    entry = {
        "at": "watch/app",
        "promql": "up",
        "op": "eq",
        "value": {"at": "web", "stat": "a.b", "across": "sum"},
    }
    data = {**shop(promql="/mine"), "expectations": [entry]}
    made = plan(data, "docker")
    (server,) = (one for one in made["endpoints"] if one["format"] == "promql")
    assert (server["name"], server["url"]) == ("watch-1/app", "http://127.0.0.1:20090/mine")
    (assertion,) = made["assertions"]
    assert assertion["endpoint"] == ["watch-1/app"]
    assert assertion["value"] == {"endpoint": ["web-1", "web-2"], "stat": "a.b", "across": "sum"}
    (pods,) = (one for one in plan(data, "kubernetes")["endpoints"] if one["format"] == "promql")
    assert (pods["name"], pods["port"], pods["path"]) == ("watch/app", 9090, "/mine")
    # Nobody scrapes it for that.
    assert port(made, "watch", "app")["metrics"] is False


def test_a_value_that_is_read_of_nobody_is_told(plan: Planner) -> None:
    entry = {"at": "web", "stat": "a", "op": "eq", "value": {"at": "wbe", "stat": "b"}}
    with pytest.raises(
        DemoError,
        match=r"expectations\[0\]\.value\.at: unknown service or endpoint 'wbe'. Did you mean 'web'\?",
    ):
        plan({**shop(), "expectations": [entry]}, "docker")
