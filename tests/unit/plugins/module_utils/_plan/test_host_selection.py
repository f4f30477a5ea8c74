# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of a demo over two hosts: addresses, bind addresses, documents and the plan of one host."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from plan_queries import clusters_of, file_of, listeners_of, sink_of, workload_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.host_selection import BY_HOST, plan_of_host

Planner = Callable[..., Any]
HOSTS = {"left": {"address": "192.0.2.1"}, "right": {"address": "192.0.2.2"}}
PLACEMENT = {"web-2": "right", "db": "right"}
ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
SHOP: dict[str, Any] = {
    "summary": "A shop over two hosts",
    "ports": 20000,
    "services": {
        "web": {"app": {"calls": {"db": "db"}}, "sidecar": {}, "replicas": 2},
        "db": {"app": {}, "port": 8081},
    },
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "publish": 18080, "tls": {}, "routes": ROUTES}},
            "clusters": {"web": {"to": "web"}, "db": {"to": "db"}},
        }
    },
    "statsd_exporter": {"style": "statsd"},
    "traffic": [{"to": "edge"}],
    "expectations": [{"at": "web", "stat": "s", "op": "eq", "value": 1}],
}


def two_hosts(plan: Planner, platform: str, **context: Any) -> Any:
    return plan(SHOP, platform, **{"hosts": HOSTS, "placement": PLACEMENT, **context})


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_edge_reaches_another_host_by_its_address(plan: Planner, platform: str) -> None:
    found = two_hosts(plan, platform)
    first, second = clusters_of(found, "edge")["web"]
    (database,) = clusters_of(found, "edge")["db"]
    assert not first.startswith("192.0.2.2:")
    assert second.startswith("192.0.2.2:")
    assert database.startswith("192.0.2.2:")
    published = {port["name"]: port["published"] for port in workload_of(found, "web-2-envoy")["ports"]}
    assert second == f"192.0.2.2:{published['ingress']}"


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_app_and_exporter_are_reached_across_hosts(plan: Planner, platform: str) -> None:
    found = two_hosts(plan, platform)
    assert workload_of(found, "web-1")["environment"]["DEMO_APP_CALLS"].startswith("db=192.0.2.2:")
    assert not workload_of(found, "web-2")["environment"]["DEMO_APP_CALLS"].startswith("db=192.0.2.2:80")
    assert sink_of(found, "web-2")["tcp_cluster_name"] == "statsd"
    statsd = file_of(found, "web-2/bootstrap.yaml")["static_resources"]["clusters"][-1]
    address = statsd["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"][
        "socket_address"
    ]
    assert address["address"] == "192.0.2.1"
    received = [one for one in workload_of(found, "statsd_exporter")["ports"] if one["name"] == "statsd"]
    assert [one["published"] for one in received] == [address["port_value"]]
    if platform == "local":
        # The exporter is bound to the address of its host, because another host sends to it.
        assert sink_of(found, "web-1")["address"]["socket_address"]["address"] == "192.0.2.1"


def test_local_process_binds_to_its_host_if_another_host_calls(plan: Planner) -> None:
    found = two_hosts(plan, "local")
    assert listeners_of(found, "web-2")["ingress"][0] == "192.0.2.2"
    assert listeners_of(found, "web-2")["admin"][0] == "127.0.0.1"
    assert listeners_of(plan(SHOP, "local"), "web-2")["ingress"][0] == "127.0.0.1"
    assert workload_of(found, "web-1")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"


def test_container_publishes_on_its_host_if_another_host_calls(plan: Planner) -> None:
    found = two_hosts(plan, "docker")
    document = file_of(plan_of_host(found, "right"), "compose.yaml")["services"]
    (ingress,) = [one for one in document["web-2-network"]["ports"] if one.endswith(":10000")]
    assert ingress.startswith("192.0.2.2:")
    alone = file_of(plan(SHOP, "docker"), "compose.yaml")["services"]
    assert "ports" not in alone["web-2-network"]


@pytest.mark.parametrize(
    ("platform", "document"), [("local", "supervisord.conf"), ("docker", "compose.yaml")]
)
def test_plan_of_a_host_has_its_own_document(plan: Planner, platform: str, document: str) -> None:
    found = two_hosts(plan, platform)
    assert found["hosts"] == ["left", "right"]
    names = {}
    for host in found["hosts"]:
        part = plan_of_host(found, host)
        names[host] = [one["name"] for one in part["workloads"]]
        (text,) = [one["content"] for one in part["files"] if one["path"] == document]
        assert all(name in text for name in names[host])
        paths = [one["path"] for one in part["files"]]
        assert len(paths) == len(set(paths))
        assert "app/demo_app.py" in paths
        assert json.loads(json.dumps(part)) == part
        assert all(one["host"] == host for key in BY_HOST for one in part[key])
    assert names["right"] == ["web-2-envoy", "web-2", "db-1"]
    assert not set(names["left"]) & set(names["right"])


def test_endpoints_and_certificates_name_their_host(plan: Planner) -> None:
    found = two_hosts(plan, "local")
    assert {one["name"]: one["host"] for one in found["endpoints"]} == {
        "web-1": "left",
        "web-2": "right",
        "edge": "left",
        "statsd_exporter": "left",
    }
    (certificate,) = found["certificates"]
    assert (certificate["host"], certificate["addresses"]) == ("left", ["127.0.0.1", "192.0.2.1"])
    assert found["traffic"][0]["url"] == "https://192.0.2.1:18080/"


def test_one_host_is_the_default(plan: Planner) -> None:
    found = plan(SHOP, "local")
    assert found["hosts"] == ["default"]
    assert plan_of_host(found, "default") == found
    with pytest.raises(ValueError, match=r"plan: unknown host 'x'\. Use one of: default\."):
        plan_of_host(found, "x")


@pytest.mark.parametrize(
    ("platform", "context", "message"),
    [
        ("local", {"placement": {"web": "midle"}}, "context: placement.web: unknown host 'midle'. Use one of: left, right."),
        ("local", {"placement": {"wbe": "left"}}, "context: placement: unknown group or instance 'wbe'. Did you mean 'web'?"),
        ("local", {"hosts": {"left": {"address": "a"}}}, "context.hosts.left.address: expected an IP address"),
        ("local", {"hosts": {"left": {"adress": "::1"}}}, "context.hosts.left: unknown key 'adress'. Did you mean 'address'?"),
        ("kubernetes", {}, "context: hosts: a cluster places its pods itself."),
    ],
)  # fmt: skip
def test_wrong_placement_is_refused(
    plan: Planner, platform: str, context: dict[str, Any], message: str
) -> None:
    with pytest.raises(DemoError) as caught:
        two_hosts(plan, platform, **context)
    assert str(caught.value).startswith(message)


def test_port_can_be_used_once_on_each_host(plan: Planner) -> None:
    data = yaml.safe_load(yaml.safe_dump(SHOP))
    data["services"]["db"]["publish"] = 18080
    assert two_hosts(lambda _data, *a, **k: plan(data, *a, **k), "docker")
    with pytest.raises(DemoError, match="port 18080: both db-1/app and edge/http use it on host 'left'"):
        plan(data, "docker", hosts=HOSTS)
