# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the planner's view of Kubernetes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from shop_demo import Planner, shop

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError


def shop_alone() -> dict[str, Any]:
    """Return the shop without its exporter, whose style does not work across pods."""
    return {key: one for key, one in shop().items() if key != "statsd_exporter"}


def test_credentials_in_the_context_are_refused(plan: Planner) -> None:
    with pytest.raises(DemoError, match=r"^context.cluster: unknown key 'api_key'"):
        plan(shop_alone(), "kubernetes", cluster={"api_key": "secret"})


@pytest.mark.parametrize("image", ["envoyproxy/envoy:distroless-v1.40.0", "envoy:1"])
def test_image_without_bash_has_no_drain_command(plan: Planner, image: str) -> None:
    envoy = {"version": "1.40.0", "image": image, "executable": "envoy"}
    planned = plan(shop_alone(), "kubernetes", envoy=envoy)
    [edge] = [
        one["spec"]["template"]["spec"]["containers"][0]
        for one in planned["manifests"]
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "shop-edge")
    ]
    handler = "sleep" if "distroless" in image else "exec"
    assert [*edge["lifecycle"]["preStop"]] == [handler]
    assert not any(one["drain"] for one in plan(shop_alone(), "docker")["workloads"])


@pytest.mark.parametrize("name", ["app", "files", "shop", "ca"])
def test_bootstrap_restarts_pods_for_any_service_name(plan: Planner, name: str) -> None:
    """Some names are those of folders that others read, too."""

    def template(stats: dict[str, Any]) -> Any:
        other = {"command": ["web", "${port}"], "image": "web:1", "files": {"a.conf": "a"}}
        services = {
            name: {"app": {}, "sidecar": {"stats_config": stats}},
            "other": {"app": {}},
            "server": {"server": other, "port": 8080},
        }
        planned = plan({"summary": "s", "ports": 20000, "services": services}, "kubernetes")["manifests"]
        found = {one["metadata"]["name"]: one for one in planned if one["kind"] == "Deployment"}
        return found[f"shop-{name}"]["spec"]["template"]

    assert template({}) != template({"use_all_default_tags": False})


LAYOUT_SHOP: dict[str, Any] = {
    "summary": "A layout_shop",
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


def layout_shop(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(LAYOUT_SHOP), **keys}


def with_edge(**keys: Any) -> dict[str, Any]:
    data = layout_shop()
    data["proxies"]["edge"] |= keys
    return data


def test_members_are_the_pods_found_through_dns(plan: Planner) -> None:
    data = with_edge(
        clusters={
            "web": {"to": "web"},
            "self": {"to": "edge/inner"},
            "far": {"address": "far.example.com", "port": 443},
            "own": {"to": "web", "cluster": {"type": "LOGICAL_DNS"}},
        }
    )
    planned = plan(data, "kubernetes", replicas={"web": 3})
    edge = next(one for one in planned["admins"] if one["proxy"] == "edge")
    assert {name: one["hosts"] for name, one in edge["members"].items()} == {"web": 3}


HEALTH_CHECK = {
    "timeout": "1s",
    "interval": "1s",
    "unhealthy_threshold": 1,
    "healthy_threshold": 1,
    "tcp_health_check": {},
}


def clusters_of(planned: Any, proxy: str) -> dict[str, Any]:
    """Return the clusters of a proxy in the plan, by name."""
    [text] = [one["content"] for one in planned["files"] if one["path"] == f"{proxy}/clusters.yaml"]
    return {one["name"]: one for one in yaml.safe_load(text)["resources"]}


def standby_shop(**fields: Any) -> dict[str, Any]:
    """Return an edge in front of a service with a sidecar. `fields` are those of its cluster."""
    return {
        "summary": "s",
        "ports": 20000,
        "services": {"web": {"app": {}, "replicas": 2, "sidecar": {"listeners": {"in": {"port": 10000}}}}},
        "proxies": {
            "edge": {
                "listeners": {
                    "http": {
                        "port": 10000,
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}],
                    }
                },
                "clusters": {"web": {"to": "web", "cluster": fields}},
            }
        },
    }


def test_cluster_has_a_standby_for_terminating_pods(plan: Planner) -> None:
    planned = plan(standby_shop(), "kubernetes")
    pods, standby = clusters_of(planned, "edge")["web"]["load_assignment"]["endpoints"]
    assert "priority" not in pods
    assert (standby["priority"], standby["lb_endpoints"][0]["health_status"]) == (1, "DEGRADED")
    endpoint = standby["lb_endpoints"][0]["endpoint"]
    assert endpoint["hostname"] == "shop-web-pods"
    assert endpoint["address"]["socket_address"] == {"address": "shop-web-standby", "port_value": 10000}
    [service] = [one for one in planned["manifests"] if one["metadata"]["name"] == "shop-web-standby"]
    assert "clusterIP" not in service["spec"]
    assert [one["port"] for one in service["spec"]["ports"]] == [10000]
    # Expectations do not count it.
    standby_of = {one["name"]: one.get("standby") for one in planned["endpoints"]}
    assert standby_of == {"edge": ["web"], "web": []}
    [admin] = [one for one in planned["admins"] if one["proxy"] == "edge"]
    assert "standby" not in admin["pods"]


@pytest.mark.parametrize(
    "fields",
    [
        {"outlier_detection": {}},
        {"healthChecks": [HEALTH_CHECK]},
        {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}},
    ],
)
def test_own_choice_of_hosts_has_no_standby(plan: Planner, fields: dict[str, Any]) -> None:
    planned = plan(standby_shop(**fields), "kubernetes")
    assert len(clusters_of(planned, "edge")["web"]["load_assignment"]["endpoints"]) == 1
    assert all(one["standby"] == [] for one in planned["endpoints"])
    assert not [one for one in planned["manifests"] if one["metadata"]["name"].endswith("-standby")]


def test_other_platforms_and_missing_replicas_have_no_standby(plan: Planner) -> None:
    without = standby_shop()
    without["services"]["web"]["replicas"] = 0
    assert len(clusters_of(plan(without, "kubernetes"), "edge")["web"]["load_assignment"]["endpoints"]) == 1
    assert (
        len(clusters_of(plan(standby_shop(), "docker"), "edge")["web"]["load_assignment"]["endpoints"]) == 1
    )


def test_further_service_restarts_no_other_pods(plan: Planner) -> None:
    """All apps mount the directory of the demo app."""

    def templates(*names: str) -> dict[str, Any]:
        services = {name: {"app": {}, "sidecar": {}} for name in names}
        planned = plan({"summary": "s", "ports": 20000, "services": services}, "kubernetes")["manifests"]
        return {
            one["metadata"]["name"]: one["spec"]["template"] for one in planned if one["kind"] == "Deployment"
        }

    before, after = templates("one", "two"), templates("added", "one", "two")
    assert {name: after[name] for name in before} == before
