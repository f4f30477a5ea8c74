# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything is: addresses and ports on both platforms, and what they may not share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

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


def with_edge(**keys: Any) -> dict[str, Any]:
    data = shop()
    data["proxies"]["edge"] |= keys
    return data


def file(plan: dict[str, Any], path: str) -> Any:
    return yaml.safe_load(next(one["content"] for one in plan["files"] if one["path"] == path))


def workload(plan: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in plan["workloads"] if one["name"] == name)


def addresses(resource: dict[str, Any]) -> list[str]:
    """The endpoints of a cluster."""
    return [
        f"{one['endpoint']['address']['socket_address']['address']}:{one['endpoint']['address']['socket_address']['port_value']}"
        for group in resource["load_assignment"]["endpoints"]
        for one in group["lb_endpoints"]
    ]


def clusters(plan: dict[str, Any], proxy: str) -> dict[str, list[str]]:
    return {one["name"]: addresses(one) for one in file(plan, f"{proxy}/clusters.yaml")["resources"]}


def listener_addresses(plan: dict[str, Any], proxy: str) -> dict[str, tuple[str, int]]:
    fixed = file(plan, f"{proxy}/bootstrap.yaml")["static_resources"]["listeners"]
    found = [*file(plan, f"{proxy}/listeners.yaml")["resources"], *fixed]
    sockets = {one["name"]: one["address"]["socket_address"] for one in found}
    return {name: (one["address"], one["port_value"]) for name, one in sockets.items()}


def sink(plan: dict[str, Any], proxy: str) -> dict[str, Any]:
    (found,) = file(plan, f"{proxy}/bootstrap.yaml")["stats_sinks"]
    config = found["typed_config"]
    config.pop("@type")
    return {"name": found["name"].rpartition(".")[2], **config}


def told(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


# Addresses


def test_a_sidecar_reaches_its_app_on_loopback(plan: Planner) -> None:
    made = plan(SHOP, "docker")
    for replica in (1, 2, 3):
        assert clusters(made, f"web-{replica}") == {"web": ["127.0.0.1:8080"]}
        assert workload(made, f"web-{replica}")["network"] == f"web-{replica}-envoy"
        assert workload(made, f"web-{replica}")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"


def test_a_sidecar_reaches_its_app_by_its_port_on_one_host(plan: Planner) -> None:
    made = plan(SHOP, "local")
    for replica in (1, 2, 3):
        app = workload(made, f"web-{replica}")
        port = app["environment"]["DEMO_APP_PORT"]
        assert clusters(made, f"web-{replica}") == {"web": [f"127.0.0.1:{port}"]}
        assert app["ports"][0]["number"] == int(port)


def test_a_cluster_of_a_sidecars_own_service_means_the_app_beside_it(plan: Planner) -> None:
    for own in ("web", "web/app"):
        data = shop()
        data["services"]["web"]["sidecar"] = {
            "clusters": {"web": {"to": own, "cluster": {"lb_policy": "RANDOM"}}}
        }
        made = plan(data, "docker")
        assert clusters(made, "web-2") == {"web": ["127.0.0.1:8080"]}
        assert file(made, "web-2/clusters.yaml")["resources"][0]["lb_policy"] == "RANDOM"
        assert workload(made, "web-2")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"


def test_an_edge_reaches_all_replicas_through_their_sidecars_by_name(plan: Planner) -> None:
    made = plan(SHOP, "docker")
    assert clusters(made, "edge") == {
        "web": ["web-1:10000", "web-2:10000", "web-3:10000"],
        "bare": ["bare-1:8081"],
    }
    for replica in (1, 2, 3):
        assert f"web-{replica}" in workload(made, f"web-{replica}-envoy")["aliases"]
    assert workload(made, "bare-1")["environment"]["DEMO_APP_BIND"] == "0.0.0.0"


def test_an_edge_reaches_all_replicas_through_their_sidecars_by_port(plan: Planner) -> None:
    made = plan(SHOP, "local")
    ingresses = [listener_addresses(made, f"web-{replica}")["ingress"] for replica in (1, 2, 3)]
    assert clusters(made, "edge")["web"] == [f"{host}:{port}" for host, port in ingresses]
    assert {host for host, _port in ingresses} == {"127.0.0.1"}
    assert clusters(made, "edge")["bare"] == [f"127.0.0.1:{workload(made, 'bare-1')['ports'][0]['number']}"]


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_an_edge_can_go_past_the_sidecar_straight_to_the_app(plan: Planner, platform: str) -> None:
    made = plan(with_edge(clusters={"web": {"to": "web/app"}}), platform)
    if platform == "docker":
        assert clusters(made, "edge")["web"] == ["web-1:8080", "web-2:8080", "web-3:8080"]
        assert workload(made, "web-1")["environment"]["DEMO_APP_BIND"] == "0.0.0.0"
    else:
        ports = [workload(made, f"web-{replica}")["environment"]["DEMO_APP_PORT"] for replica in (1, 2, 3)]
        assert clusters(made, "edge")["web"] == [f"127.0.0.1:{port}" for port in ports]


def test_an_app_that_another_one_calls_listens_for_it(plan: Planner) -> None:
    data = shop()
    data["services"]["bare"]["app"] = {"calls": ["web/app", "web"]}
    made = plan(data, "docker")
    assert workload(made, "web-1")["environment"]["DEMO_APP_BIND"] == "0.0.0.0"
    assert workload(made, "bare-1")["environment"]["DEMO_APP_CALLS"] == ",".join(
        [f"web-{replica}:8080" for replica in (1, 2, 3)] + [f"web-{replica}:10000" for replica in (1, 2, 3)]
    )


def test_a_proxy_in_front_of_a_proxy(plan: Planner) -> None:
    data = with_edge(clusters={})
    data["proxies"]["outer"] = {
        "listeners": {"http": {"port": 8090, "routes": []}},
        "clusters": {"edge": {"to": "edge/inner"}, "first": {"to": "edge"}},
    }
    made = plan(data, "docker")
    assert clusters(made, "outer") == {"edge": ["edge:8082"], "first": ["edge:8080"]}


def test_a_service_that_is_away_has_no_endpoints(plan: Planner) -> None:
    assert clusters(plan(SHOP, "docker", replicas={"web": 0}), "edge")["web"] == []


def test_pods_that_a_proxy_has_to_know_are_those_that_name_resolution_tells(plan: Planner) -> None:
    data = with_edge(
        clusters={
            "web": {"to": "web"},
            "self": {"to": "edge/inner"},
            "far": {"address": "far.example.com", "port": 443},
            "own": {"to": "web", "cluster": {"type": "LOGICAL_DNS"}},
        }
    )
    made = plan(data, "kubernetes", replicas={"web": 3})
    edge = next(one for one in made["admins"] if one["proxy"] == "edge")
    assert {name: one["hosts"] for name, one in edge["members"].items()} == {"web": 3}


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_what_is_elsewhere_is_reached_as_stated(plan: Planner, platform: str) -> None:
    made = plan(with_edge(clusters={"far": {"address": "far.example.com", "port": 443}}), platform)
    assert clusters(made, "edge")["far"] == ["far.example.com:443"]


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("wbe", "unknown service or proxy 'wbe'. Did you mean 'web'?"),
        ("web/ingres", "unknown listener of 'web' 'ingres'. Did you mean 'ingress'?"),
        ("bare/http", "unknown listener of 'bare' 'http'. Use one of: app."),
        ("edge/app", "unknown listener of 'edge' 'app'. Use one of: http, inner."),
    ],
)
def test_an_unknown_target(plan: Planner, to: str, sentence: str) -> None:
    assert (
        told(plan, with_edge(clusters={"x": {"to": to}})) == f"shop.yml: proxies.edge.clusters.x: {sentence}"
    )


def test_an_unknown_target_of_a_sidecar_and_of_an_app(plan: Planner) -> None:
    data = shop()
    data["services"]["web"]["sidecar"] = {"clusters": {"x": {"to": "bar"}}}
    assert told(plan, data).startswith(
        "shop.yml: services.web.sidecar.clusters.x: unknown service or proxy 'bar'"
    )
    data = shop()
    data["services"]["bare"]["app"] = {"calls": ["wbe"]}
    assert told(plan, data).startswith(
        "shop.yml: services.bare.app.calls: unknown service or proxy 'wbe'. Did you"
    )


# Bind addresses


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
def test_what_is_published_is_reached_where_it_listens(
    plan: Planner, bind: str, inside: str, url: str
) -> None:
    data = shop(traffic=[{"to": "edge"}])
    data["services"]["web"]["publish"] = 18081
    made = plan(data, "local", bind=bind)
    assert listener_addresses(made, "edge")["http"] == (bind, 18080)
    assert listener_addresses(made, "edge")["inner"][0] == "127.0.0.1"
    assert made["traffic"][0]["url"] == f"http://{url}:18080/"
    app = workload(made, "web-1")
    assert (app["environment"]["DEMO_APP_BIND"], app["probe"]["host"]) == (bind, inside)
    assert file(made, "web-1/clusters.yaml")["resources"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0][
        "endpoint"]["address"]["socket_address"] == {"address": inside, "port_value": 18081}  # fmt: skip
    assert workload(made, "web-2")["environment"]["DEMO_APP_BIND"] == "127.0.0.1"
    assert f"http://{url}:18080" in [one["url"] for one in made["addresses"]]


def test_a_container_binds_to_all_of_its_own_addresses_and_the_daemon_to_the_hosts(plan: Planner) -> None:
    made = plan(shop(traffic=[{"to": "edge"}]), "docker", bind="192.0.2.1")
    assert listener_addresses(made, "edge")["http"] == ("0.0.0.0", 8080)
    assert "192.0.2.1:18080:8080" in file(made, "compose.yaml")["services"]["edge"]["ports"]
    assert made["traffic"][0]["url"] == "http://192.0.2.1:18080/"
    assert {one["url"].rpartition(":")[0] for one in made["addresses"]} == {"http://192.0.2.1"}


# Ports


def test_on_docker_only_what_is_stated_is_published_and_the_admin_of_who_is(plan: Planner) -> None:
    made = plan(SHOP, "docker")
    others = [one for one in made["workloads"] if one["name"] != "edge"]
    assert {port["published"] for one in others for port in one["ports"]} == {None}
    http, inner, admin = (port["published"] for port in workload(made, "edge")["ports"])
    assert (http, inner) == (18080, None)
    assert 20000 <= admin < 20100


def test_a_listener_called_http_is_not_published_because_of_its_name(plan: Planner) -> None:
    listeners = {
        "http": {"port": 8080, "routes": []},
        "https": {"port": 8443, "publish": 18443, "routes": []},
    }
    made = plan(with_edge(listeners=listeners), "docker")
    assert [port["published"] for port in workload(made, "edge")["ports"]][:2] == [None, 18443]


def test_only_the_first_replica_has_the_published_port(plan: Planner) -> None:
    data = shop()
    data["services"]["web"]["publish"] = 18081
    docker, local = plan(data, "docker"), plan(data, "local")
    assert [workload(docker, f"web-{one}")["ports"][0]["published"] for one in (1, 2, 3)] == [
        18081,
        None,
        None,
    ]
    ports = [workload(local, f"web-{one}")["ports"][0]["number"] for one in (1, 2, 3)]
    assert ports[0] == 18081
    assert all(20000 <= port < 20100 for port in ports[1:])


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_two_things_on_one_published_port(plan: Planner, platform: str) -> None:
    data = shop()
    data["services"]["bare"]["publish"] = 18080
    assert told(plan, data, platform) == (
        "shop.yml: port 18080: both bare-1/app and edge/http use it on the host. Change one of the ports."
    )


def test_two_things_on_one_port_of_a_network(plan: Planner) -> None:
    data = shop()
    data["services"]["web"] = {"port": 10000, "sidecar": {}}
    assert told(plan, data, "docker") == (
        "shop.yml: port 10000: both web-1/app and web-1/ingress use it on web-1. Change one of the ports."
    )
    assert plan(data, "local")  # where each has a port of its own
    assert "port 9902: both edge/http and edge/admin use it" in told(
        plan, with_edge(listeners={"http": {"port": 9902, "routes": []}}), "docker"
    )


def test_a_published_port_inside_of_the_demos_own_block(plan: Planner) -> None:
    listeners = {"http": {"port": 8080, "publish": 20001, "routes": []}}
    assert "port 20001: both " in told(plan, with_edge(listeners=listeners), "local")


def test_more_than_the_block_holds(plan: Planner) -> None:
    services = {f"s{number}": {"sidecar": {}, "replicas": 10} for number in range(4)}
    assert told(plan, shop(services=services, proxies={})) == (
        "shop.yml: s0: needs port 20108, beyond the demo's 100 ports from 20000 on. Use fewer replicas or services."
    )


# Names


@pytest.mark.parametrize(
    ("services", "proxies", "sentence"),
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
def test_two_of_one_name(plan: Planner, services: Any, proxies: Any, sentence: str | None) -> None:
    data = shop(services=services, proxies=proxies)
    if sentence:
        assert told(plan, data).startswith(f"shop.yml: {sentence}")
    else:
        assert plan(data)["workloads"]


def test_underscores_are_kept_in_every_name(plan: Planner) -> None:
    data = shop(
        services={"my_web": {"sidecar": {}}}, proxies={"my_edge": {"clusters": {"web": {"to": "my_web"}}}}
    )
    made = plan(data, "docker", name="my_demo")
    assert clusters(made, "my_edge")["web"] == ["my_web-1:10000"]
    assert workload(made, "my_web-1-envoy")["hostname"] == "my_web-1"
    assert file(made, "my_edge/bootstrap.yaml")["node"] == {"id": "my_edge", "cluster": "my_edge"}
    assert file(made, "compose.yaml")["name"] == "my_demo"


# The exporter


def exporter_shop(beside: str | None, style: str = "dog_statsd", replicas: int = 1) -> dict[str, Any]:
    data = shop(statsd_exporter={"style": style, "shares_network_with": beside, "publish": 19102}, proxies={})
    data["services"] = {"web": {"app": {}, "sidecar": {}, "replicas": replicas}}
    return data


def test_an_exporter_beside_its_proxy_gets_tags_over_udp(plan: Planner) -> None:
    made = plan(exporter_shop("web"), "docker")
    assert sink(made, "web-1") == {
        "name": "dog_statsd",
        "prefix": "envoy",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 9125}},
        "max_bytes_per_datagram": 1432,
    }
    exporter = workload(made, "statsd_exporter")
    assert exporter["network"] == "web-1-envoy"
    assert "--statsd.listen-udp=127.0.0.1:9125" in exporter["command"]


@pytest.mark.parametrize("beside", ["web", None])
def test_on_one_host_everything_is_beside_the_exporter(plan: Planner, beside: str | None) -> None:
    made = plan(exporter_shop(beside, replicas=3), "local")
    exporter = workload(made, "statsd_exporter")
    (udp,) = [one for one in exporter["command"] if one.startswith("--statsd.listen-udp=127.0.0.1:")]
    for replica in (1, 2, 3):
        port = sink(made, f"web-{replica}")["address"]["socket_address"]["port_value"]
        assert udp.endswith(f":{port}")
    assert exporter["network"] is None


def test_an_exporter_that_is_not_beside_gets_statsd_over_tcp_by_name(plan: Planner) -> None:
    made = plan(exporter_shop(None, "statsd"), "docker")
    assert sink(made, "web-1") == {"name": "statsd", "prefix": "envoy", "tcp_cluster_name": "statsd"}
    static = file(made, "web-1/bootstrap.yaml")["static_resources"]["clusters"]
    assert addresses(static[1]) == ["statsd_exporter:9125"]
    exporter = workload(made, "statsd_exporter")
    assert exporter["network"] is None
    assert "--statsd.listen-tcp=0.0.0.0:9125" in exporter["command"]


def test_replicas_that_are_not_beside_the_exporter_send_to_the_one_that_is(plan: Planner) -> None:
    made = plan(exporter_shop("web", "statsd", replicas=2), "docker")
    assert "address" in sink(made, "web-1")
    assert sink(made, "web-2")["tcp_cluster_name"] == "statsd"
    static = file(made, "web-2/bootstrap.yaml")["static_resources"]["clusters"]
    assert addresses(static[1]) == ["web-1:9125"]
    assert "--statsd.listen-tcp=0.0.0.0:9125" in workload(made, "statsd_exporter")["command"]


def test_tags_cannot_go_to_an_exporter_in_another_network(plan: Planner) -> None:
    assert told(plan, exporter_shop(None), "docker") == (
        "shop.yml: statsd_exporter.style: dog_statsd needs UDP, but web-1 does not share the exporter's network."
        " Use 'style: statsd', or 'shares_network_with: web' if that is the only proxy."
    )


def test_an_exporter_beside_an_edge(plan: Planner) -> None:
    made = plan(
        shop(services={"bare": {}}, proxies={"edge": {}}, statsd_exporter={"shares_network_with": "edge"}),
        "docker",
    )
    assert workload(made, "statsd_exporter")["network"] == "edge"
    assert "address" in sink(made, "edge")


def test_a_proxy_may_send_its_stats_elsewhere(plan: Planner) -> None:
    data = exporter_shop("web", "statsd")
    data["services"]["web"]["sidecar"] = {
        "statsd": {"address": "stats.example.com", "port": 8125, "transport": "tcp", "prefix": "mine"}
    }
    made = plan(data, "docker")
    assert sink(made, "web-1") == {"name": "statsd", "prefix": "mine", "tcp_cluster_name": "statsd"}
    assert addresses(file(made, "web-1/bootstrap.yaml")["static_resources"]["clusters"][1]) == [
        "stats.example.com:8125"
    ]
    data["services"]["web"]["sidecar"]["statsd"] = {"address": "10.0.0.1", "style": "dog_statsd"}
    assert sink(plan(data, "local"), "web-1") == {
        "name": "dog_statsd",
        "prefix": "envoy",
        "address": {"socket_address": {"address": "10.0.0.1", "port_value": 9125}},
        "max_bytes_per_datagram": 1432,
    }


def test_without_an_exporter_nothing_is_sent(plan: Planner) -> None:
    assert "stats_sinks" not in file(plan(SHOP), "edge/bootstrap.yaml")


def test_the_mapping_is_the_demos_or_that_of_the_style(plan: Planner) -> None:
    for style, mapping in (
        ("dog_statsd", {"mappings": []}),
        ("statsd", {"mappings": [{"match": "*", "name": "x"}]}),
    ):
        assert file(plan(exporter_shop("web", style)), "statsd_exporter/mapping.yaml") == mapping
    data = exporter_shop("web")
    data["statsd_exporter"]["mapping"] = {"mappings": [{"match": "mine"}]}
    assert file(plan(data), "statsd_exporter/mapping.yaml") == {"mappings": [{"match": "mine"}]}
