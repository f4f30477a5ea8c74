# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the layout: names, ports and addresses on a host and in containers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import clusters_of, file_of, listeners_of, workload_of

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


def test_sidecar_reaches_its_app_on_loopback(plan: Planner) -> None:
    planned = plan(SHOP, "docker")
    for replica in (1, 2, 3):
        assert clusters_of(planned, f"web-{replica}") == {"web": ["127.0.0.1:8080"]}
        assert workload_of(planned, f"web-{replica}")["network"] == f"web-{replica}-envoy"
        assert workload_of(planned, f"web-{replica}")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"


def test_sidecar_on_a_host_reaches_its_app_by_port(plan: Planner) -> None:
    planned = plan(SHOP, "local")
    for replica in (1, 2, 3):
        app = workload_of(planned, f"web-{replica}")
        port = app["environment"]["DEMO_APP_PORT"]
        assert clusters_of(planned, f"web-{replica}") == {"web": [f"127.0.0.1:{port}"]}
        assert app["ports"][0]["number"] == int(port)


def shop(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SHOP), **keys}


def test_sidecar_cluster_of_its_service_is_its_app(plan: Planner) -> None:
    for own in ("web", "web/app"):
        data = shop()
        data["services"]["web"]["sidecar"] = {
            "clusters": {"web": {"to": own, "cluster": {"lb_policy": "RANDOM"}}}
        }
        planned = plan(data, "docker")
        assert clusters_of(planned, "web-2") == {"web": ["127.0.0.1:8080"]}
        assert file_of(planned, "web-2/clusters.yaml")["resources"][0]["lb_policy"] == "RANDOM"
        assert workload_of(planned, "web-2")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"


def test_edge_reaches_all_sidecars_by_name(plan: Planner) -> None:
    planned = plan(SHOP, "docker")
    assert clusters_of(planned, "edge") == {
        "web": ["web-1:10000", "web-2:10000", "web-3:10000"],
        "bare": ["bare-1:8081"],
    }
    for replica in (1, 2, 3):
        assert f"web-{replica}" in workload_of(planned, f"web-{replica}-envoy")["aliases"]
    assert workload_of(planned, "bare-1")["environment"]["DEMO_APP_BIND"] == "0.0.0.0"


def test_edge_on_a_host_reaches_all_sidecars_by_port(plan: Planner) -> None:
    planned = plan(SHOP, "local")
    ingresses = [listeners_of(planned, f"web-{replica}")["ingress"] for replica in (1, 2, 3)]
    assert clusters_of(planned, "edge")["web"] == [f"{host}:{port}" for host, port in ingresses]
    assert {host for host, _port in ingresses} == {"127.0.0.1"}
    assert clusters_of(planned, "edge")["bare"] == [
        f"127.0.0.1:{workload_of(planned, 'bare-1')['ports'][0]['number']}"
    ]


def with_edge(**keys: Any) -> dict[str, Any]:
    data = shop()
    data["proxies"]["edge"] |= keys
    return data


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_edge_can_bypass_the_sidecar(plan: Planner, platform: str) -> None:
    planned = plan(with_edge(clusters={"web": {"to": "web/app"}}), platform)
    if platform == "docker":
        assert clusters_of(planned, "edge")["web"] == ["web-1:8080", "web-2:8080", "web-3:8080"]
        assert workload_of(planned, "web-1")["environment"]["DEMO_APP_BIND"] == "0.0.0.0"
    else:
        ports = [
            workload_of(planned, f"web-{replica}")["environment"]["DEMO_APP_PORT"] for replica in (1, 2, 3)
        ]
        assert clusters_of(planned, "edge")["web"] == [f"127.0.0.1:{port}" for port in ports]


def test_called_app_listens_on_all_addresses(plan: Planner) -> None:
    data = shop()
    data["services"]["bare"]["app"] = {"calls": {"direct": "web/app", "web": "web"}}
    planned = plan(data, "docker")
    assert workload_of(planned, "web-1")["environment"]["DEMO_APP_BIND"] == "0.0.0.0"
    assert workload_of(planned, "bare-1")["environment"]["DEMO_APP_CALLS"] == ",".join(
        [f"direct=web-{replica}:8080" for replica in (1, 2, 3)]
        + [f"web=web-{replica}:10000" for replica in (1, 2, 3)]
    )


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_app_calls_the_sidecar_in_its_own_network(plan: Planner, platform: str) -> None:
    data = shop()
    data["services"]["web"]["app"] = {"calls": {"db": "web/egress"}}
    data["services"]["web"]["sidecar"] = {
        "listeners": {"ingress": {"port": 10000}, "egress": {"port": 10001, "routes": []}}
    }
    planned = plan(data, platform)
    apps = [one for one in planned["workloads"] if one["name"] in ("web", "web-1", "web-2", "web-3")]
    assert len(apps) == (1 if platform == "kubernetes" else 3)
    for app in apps:
        calls = app["environment"]["DEMO_APP_CALLS"]
        [sidecar] = [one for one in planned["workloads"] if one["name"] == f"{app['name']}-envoy"]
        [port] = [port["number"] for port in sidecar["ports"] if port["name"] == "egress"]
        assert calls == f"db=127.0.0.1:{port}"


def test_call_that_cannot_be_a_path_is_refused(plan: Planner) -> None:
    data = shop()
    data["services"]["bare"]["app"] = {"calls": {"a/b": "web"}}
    assert error_of(plan, data) == (
        "shop.yml: services.bare.app.calls.a/b: 'a/b' cannot be part of a path."
        " Use lower-case letters, digits, dots, dashes and underscores."
    )


def test_proxy_reaches_another_proxy(plan: Planner) -> None:
    data = with_edge(clusters={})
    data["proxies"]["outer"] = {
        "listeners": {"http": {"port": 8090, "routes": []}},
        "clusters": {"edge": {"to": "edge/inner"}, "first": {"to": "edge"}},
    }
    planned = plan(data, "docker")
    assert clusters_of(planned, "outer") == {"edge": ["edge:8082"], "first": ["edge:8080"]}


def test_service_without_replicas_has_no_endpoints(plan: Planner) -> None:
    assert clusters_of(plan(SHOP, "docker", replicas={"web": 0}), "edge")["web"] == []


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_external_address_is_unchanged(plan: Planner, platform: str) -> None:
    planned = plan(with_edge(clusters={"far": {"address": "far.example.com", "port": 443}}), platform)
    assert clusters_of(planned, "edge")["far"] == ["far.example.com:443"]


def error_of(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("wbe", "unknown service or proxy 'wbe'. Did you mean 'web'?"),
        ("web/ingres", "unknown listener of 'web' 'ingres'. Did you mean 'ingress'?"),
        ("bare/http", "unknown listener of 'bare' 'http'. Use one of: app."),
        ("edge/app", "unknown listener of 'edge' 'app'. Use one of: http, inner."),
    ],
)
def test_unknown_target_is_refused(plan: Planner, to: str, message: str) -> None:
    assert (
        error_of(plan, with_edge(clusters={"x": {"to": to}}))
        == f"shop.yml: proxies.edge.clusters.x: {message}"
    )


def test_unknown_target_of_sidecar_or_app_is_refused(plan: Planner) -> None:
    data = shop()
    data["services"]["web"]["sidecar"] = {"clusters": {"x": {"to": "bar"}}}
    assert error_of(plan, data).startswith(
        "shop.yml: services.web.sidecar.clusters.x: unknown service or proxy 'bar'"
    )
    data = shop()
    data["services"]["bare"]["app"] = {"calls": {"db": "wbe"}}
    assert error_of(plan, data).startswith(
        "shop.yml: services.bare.app.calls.db: unknown service or proxy 'wbe'. Did you"
    )


@pytest.mark.parametrize(
    ("bind", "inside", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::1", "::1", "[::1]"),
        ("::", "::1", "[::1]"),
    ],
)
def test_published_port_of_a_process_is_its_own(plan: Planner, bind: str, inside: str, url: str) -> None:
    data = shop(traffic=[{"to": "edge"}])
    data["services"]["web"]["publish"] = 18081
    planned = plan(data, "local", bind=bind)
    assert listeners_of(planned, "edge")["http"] == (bind, 18080)
    assert listeners_of(planned, "edge")["inner"][0] == "127.0.0.1"
    assert planned["traffic"][0]["url"] == f"http://{url}:18080/"
    app = workload_of(planned, "web-1")
    assert (app["environment"]["DEMO_APP_BIND"], app["probe"]["host"]) == (bind, inside)
    assert file_of(planned, "web-1/clusters.yaml")["resources"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0][
        "endpoint"]["address"]["socket_address"] == {"address": inside, "port_value": 18081}  # fmt: skip
    assert workload_of(planned, "web-2")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"
    assert f"http://{url}:18080" in [one["url"] for one in planned["addresses"]]


def test_container_listens_on_all_its_addresses(plan: Planner) -> None:
    planned = plan(shop(traffic=[{"to": "edge"}]), "docker", bind="192.0.2.1")
    assert listeners_of(planned, "edge")["http"] == ("0.0.0.0", 8080)
    assert "192.0.2.1:18080:8080" in file_of(planned, "compose.yaml")["services"]["edge-network"]["ports"]
    assert planned["traffic"][0]["url"] == "http://192.0.2.1:18080/"
    assert {one["url"].rpartition(":")[0] for one in planned["addresses"]} == {"http://192.0.2.1"}


def test_container_publishes_stated_ports_and_admin(plan: Planner) -> None:
    planned = plan(SHOP, "docker")
    others = [one for one in planned["workloads"] if one["name"] != "edge"]
    assert {port["published"] for one in others for port in one["ports"]} == {None}
    http, inner, admin = (port["published"] for port in workload_of(planned, "edge")["ports"])
    assert (http, inner) == (18080, None)
    assert 20000 <= admin < 20100


def test_listener_named_http_is_not_published_by_name(plan: Planner) -> None:
    listeners = {
        "http": {"port": 8080, "routes": []},
        "https": {"port": 8443, "publish": 18443, "routes": []},
    }
    planned = plan(with_edge(listeners=listeners), "docker")
    assert [port["published"] for port in workload_of(planned, "edge")["ports"]][:2] == [None, 18443]


def test_only_first_replica_has_the_published_port(plan: Planner) -> None:
    data = shop()
    data["services"]["web"]["publish"] = 18081
    docker, local = plan(data, "docker"), plan(data, "local")
    assert [workload_of(docker, f"web-{one}")["ports"][0]["published"] for one in (1, 2, 3)] == [
        18081,
        None,
        None,
    ]
    ports = [workload_of(local, f"web-{one}")["ports"][0]["number"] for one in (1, 2, 3)]
    assert ports[0] == 18081
    assert all(20000 <= port < 20100 for port in ports[1:])


def test_underscores_are_kept_in_names(plan: Planner) -> None:
    data = shop(
        services={"my_web": {"sidecar": {}}}, proxies={"my_edge": {"clusters": {"web": {"to": "my_web"}}}}
    )
    planned = plan(data, "docker", name="my_demo")
    assert clusters_of(planned, "my_edge")["web"] == ["my_web-1:10000"]
    assert workload_of(planned, "my_web-1-envoy")["hostname"] == "my_web-1"
    assert file_of(planned, "my_edge/bootstrap.yaml")["node"] == {"id": "my_edge", "cluster": "my_edge"}
    assert file_of(planned, "compose.yaml")["name"] == "my_demo"
