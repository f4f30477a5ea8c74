# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the planner's view of Kubernetes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
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
