# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of statsd_exporter, and of the stats sinks of the proxies."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from plan_queries import endpoints_of, file_of, sink_of, workload_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

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


def exporter_shop(shared_with: str | None, style: str = "dog_statsd", replicas: int = 1) -> dict[str, Any]:
    data = shop(
        statsd_exporter={"style": style, "shares_network_with": shared_with, "publish": 19102}, proxies={}
    )
    data["services"] = {"web": {"app": {}, "sidecar": {}, "replicas": replicas}}
    return data


def test_exporter_in_network_of_proxy_gets_udp(plan: Planner) -> None:
    planned = plan(exporter_shop("web"), "docker")
    assert sink_of(planned, "web-1") == {
        "name": "dog_statsd",
        "prefix": "envoy",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 9125}},
        "max_bytes_per_datagram": 1432,
    }
    exporter = workload_of(planned, "statsd_exporter")
    assert exporter["network"] == "web-1-envoy"
    assert "--statsd.listen-udp=127.0.0.1:9125" in exporter["command"]


@pytest.mark.parametrize(
    ("style", "name", "other"), [("statsd", "a.b", "dog_statsd"), ("dog_statsd", "a|b", "statsd")]
)
def test_name_with_a_separator_of_the_style_is_refused(
    plan: Planner, style: str, name: str, other: str
) -> None:
    data = exporter_shop("web", other)
    data["proxies"] = {"edge": {"listeners": {}, "clusters": {name: {"to": "web"}}}}
    plan(data, "local")
    data["statsd_exporter"]["style"] = style
    with pytest.raises(DemoError) as error:
        plan(data, "local")
    assert f"proxies.edge.clusters.{name}: a '{name[1]}' in a name separates fields of {style}." in str(
        error.value
    )
    assert str(error.value).endswith(f"Rename it, or set statsd_exporter.style to {other}.")
    data["proxies"]["edge"]["statsd"] = {"address": "127.0.0.1"}
    plan(data, "local")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], ["signalfx", "influxdb", "librato"]),
        (["--statsd.parse-signalfx-tags"], ["influxdb", "librato"]),
        (["--no-statsd.parse-librato-tags", "--log.level=debug"], ["signalfx", "influxdb"]),
    ],
)
def test_tags_of_other_formats_are_not_parsed(
    plan: Planner, arguments: list[str], options: list[str]
) -> None:
    data = exporter_shop("web")
    data["statsd_exporter"]["arguments"] = arguments
    command = workload_of(plan(data, "local"), "statsd_exporter")["command"]
    found = [one for one in command if "statsd.parse-" in one and one not in arguments]
    assert found == [f"--no-statsd.parse-{name}-tags" for name in options]
    assert command[len(command) - len(arguments) :] == arguments


@pytest.mark.parametrize("shared_with", ["web", None])
def test_processes_of_a_host_send_udp_to_exporter(plan: Planner, shared_with: str | None) -> None:
    planned = plan(exporter_shop(shared_with, replicas=3), "local")
    exporter = workload_of(planned, "statsd_exporter")
    (udp,) = [one for one in exporter["command"] if one.startswith("--statsd.listen-udp=127.0.0.1:")]
    for replica in (1, 2, 3):
        port = sink_of(planned, f"web-{replica}")["address"]["socket_address"]["port_value"]
        assert udp.endswith(f":{port}")
    assert exporter["network"] is None


def test_exporter_in_own_network_gets_tcp_by_name(plan: Planner) -> None:
    planned = plan(exporter_shop(None, "statsd"), "docker")
    assert sink_of(planned, "web-1") == {"name": "statsd", "prefix": "envoy", "tcp_cluster_name": "statsd"}
    static = file_of(planned, "web-1/bootstrap.yaml")["static_resources"]["clusters"]
    assert endpoints_of(static[1]) == ["statsd_exporter:9125"]
    exporter = workload_of(planned, "statsd_exporter")
    assert exporter["network"] is None
    assert "--statsd.listen-tcp=0.0.0.0:9125" in exporter["command"]


def test_other_replicas_send_tcp_to_exporter_network(plan: Planner) -> None:
    planned = plan(exporter_shop("web", "statsd", replicas=2), "docker")
    assert "address" in sink_of(planned, "web-1")
    assert sink_of(planned, "web-2")["tcp_cluster_name"] == "statsd"
    static = file_of(planned, "web-2/bootstrap.yaml")["static_resources"]["clusters"]
    assert endpoints_of(static[1]) == ["web-1:9125"]
    assert "--statsd.listen-tcp=0.0.0.0:9125" in workload_of(planned, "statsd_exporter")["command"]


def error_of(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


def test_dog_statsd_across_networks_is_refused(plan: Planner) -> None:
    assert error_of(plan, exporter_shop(None), "docker") == (
        "shop.yml: statsd_exporter.style: dog_statsd needs UDP, but web-1 does not share the exporter's network."
        " Use 'style: statsd', or 'shares_network_with: web' if that is the only proxy."
    )


def test_exporter_shares_network_with_edge(plan: Planner) -> None:
    planned = plan(
        shop(services={"bare": {}}, proxies={"edge": {}}, statsd_exporter={"shares_network_with": "edge"}),
        "docker",
    )
    assert workload_of(planned, "statsd_exporter")["network"] == "edge"
    assert "address" in sink_of(planned, "edge")


def test_stated_sink_overrides_the_exporter(plan: Planner) -> None:
    data = exporter_shop("web", "statsd")
    data["services"]["web"]["sidecar"] = {
        "statsd": {"address": "stats.example.com", "port": 8125, "transport": "tcp", "prefix": "mine"}
    }
    planned = plan(data, "docker")
    assert sink_of(planned, "web-1") == {"name": "statsd", "prefix": "mine", "tcp_cluster_name": "statsd"}
    assert endpoints_of(file_of(planned, "web-1/bootstrap.yaml")["static_resources"]["clusters"][1]) == [
        "stats.example.com:8125"
    ]
    data["services"]["web"]["sidecar"]["statsd"] = {"address": "10.0.0.1", "style": "dog_statsd"}
    assert sink_of(plan(data, "local"), "web-1") == {
        "name": "dog_statsd",
        "prefix": "envoy",
        "address": {"socket_address": {"address": "10.0.0.1", "port_value": 9125}},
        "max_bytes_per_datagram": 1432,
    }


def test_demo_without_exporter_has_no_sink(plan: Planner) -> None:
    assert "stats_sinks" not in file_of(plan(SHOP), "edge/bootstrap.yaml")


def test_mapping_is_that_of_demo_or_style(plan: Planner) -> None:
    for style, mapping in (
        ("dog_statsd", {"mappings": []}),
        ("statsd", {"mappings": [{"match": "*", "name": "x"}]}),
    ):
        assert file_of(plan(exporter_shop("web", style)), "statsd_exporter/mapping.yaml") == mapping
    data = exporter_shop("web")
    data["statsd_exporter"]["mapping"] = {"mappings": [{"match": "mine"}]}
    assert file_of(plan(data), "statsd_exporter/mapping.yaml") == {"mappings": [{"match": "mine"}]}


PROGRAMS = {
    "envoy": {"version": "1.40.0", "image": "envoy", "executable": "/bin/envoy"},
    "python": {"image": "python", "executable": "python3"},
    "statsd_exporter": {"image": "exporter", "executable": "/bin/statsd_exporter"},
}


def exporter(platform: str, demo: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return the workload of the exporter of a demo."""
    context = {"platform": platform, "folder": "/state", "app": "pass", **PROGRAMS}
    data = {"summary": "A test", "ports": 20000, "statsd_exporter": settings, **demo}
    [found] = [
        one for one in make_plan("alone", data, context)["workloads"] if one["name"] == "statsd_exporter"
    ]
    return found


@pytest.mark.parametrize(("platform", "address"), [("local", "127.0.0.1:9125"), ("docker", "0.0.0.0:9125")])
def test_exporter_alone_listens_for_external_senders(platform: str, address: str) -> None:
    found = exporter(platform, {}, publish=9102, statsd_port=9125)
    assert f"--statsd.listen-udp={address}" in found["command"]
    assert f"--statsd.listen-tcp={address}" in found["command"]
    ports = {(one["number"], one["published"], one["protocol"]) for one in found["ports"]}
    assert ports == {(9102, 9102, "tcp"), (9125, 9125, "udp"), (9125, 9125, "tcp")}


def test_unpublished_exporter_is_reached_in_network() -> None:
    assert "--statsd.listen-udp=0.0.0.0:9125" in exporter("docker", {})["command"]


def test_exporter_with_only_its_proxy_is_on_loopback() -> None:
    demo = {
        "services": {"web": {"app": {}, "sidecar": {"listeners": {"in": {"port": 9090, "publish": 9090}}}}}
    }
    found = exporter("docker", demo, shares_network_with="web")
    assert "--statsd.listen-udp=127.0.0.1:9125" in found["command"]
    assert {one["protocol"] for one in found["ports"]} == {"tcp"}


def test_pods_send_tcp_to_the_service_of_the_exporter(plan: Planner) -> None:
    planned = plan(exporter_shop(None, "statsd"), "kubernetes")
    static = file_of(planned, "web/bootstrap.yaml")["static_resources"]["clusters"]
    assert endpoints_of(static[1]) == ["shop-statsd-exporter-pods:9125"]
    (service,) = [
        one["spec"]
        for one in planned["manifests"]
        if (one["kind"], one["metadata"]["name"]) == ("Service", "shop-statsd-exporter-pods")
    ]
    assert [one["port"] for one in service["ports"]] == [9125]
