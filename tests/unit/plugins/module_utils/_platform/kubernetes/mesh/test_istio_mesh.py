# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a demo whose proxies are those of Istio: its pods, Istio's objects, and what is expected of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from demo_data import gallery_demo

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.istio_mesh import (
    lacks_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    sample_pod,
)

Planner = Callable[..., dict[str, Any]]


def planned(plan: Planner, demo: str, **context: Any) -> dict[str, Any]:
    return plan(gallery_demo(demo), "kubernetes", demo, mesh="istio", **context)


def objects(plan: Planner, demo: str, **context: Any) -> dict[str, dict[str, Any]]:
    """Return the objects of a demo in a mesh, by `Kind/name`."""
    found = planned(plan, demo, **context)["manifests"]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def test_pods_have_only_the_app_before_the_injection(plan: Planner) -> None:
    found = objects(plan, "canary")
    pods = found["Deployment/canary-v1"]["spec"]["template"]
    assert pods["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"
    assert [one["name"] for one in pods["spec"]["containers"]] == ["app"]
    assert "initContainers" not in pods["spec"]
    config = json.loads(pods["metadata"]["annotations"]["proxy.istio.io/config"])
    assert (config["concurrency"], config["proxyStatsMatcher"]) == (1, {"inclusionRegexps": [".*"]})


def test_edge_is_a_gateway_that_istio_completes(plan: Planner) -> None:
    pods = objects(plan, "front_proxy")["Deployment/front-proxy-edge"]["spec"]["template"]
    assert pods["metadata"]["annotations"]["inject.istio.io/templates"] == "gateway"
    (container,) = pods["spec"]["containers"]
    assert (container["name"], container["image"]) == ("istio-proxy", "auto")
    assert not container.keys() & {"command", "args", "readinessProbe", "startupProbe", "lifecycle"}
    assert [one["containerPort"] for one in container["ports"]] == [8080, 8443]
    assert [one["mountPath"] for one in container["volumeMounts"]] == ["/tmp", "/etc/istio/demo"]


def test_plan_in_a_mesh_needs_no_envoy(plan: Planner) -> None:
    found = planned(plan, "front_proxy")
    assert (found["programs"], found["checks"]) == (["demo_app"], [])
    assert [one["path"] for one in found["certificates"]] == ["edge/certs"]
    assert [one for one in found["manifests"] if one["kind"] == "ConfigMap" and not one["data"]] == []
    assert [one["name"] for one in found["addresses"]] == ["edge/http", "edge/https", "service1/app"]


@pytest.mark.parametrize(("change", "weights"), [("", [90, 10]), ("half", [50, 50])])
def test_virtual_service_has_weights_of_the_edge(plan: Planner, change: str, weights: list[int]) -> None:
    service = objects(plan, "canary", change=change)["VirtualService/canary-edge"]["spec"]
    (route,) = service["http"]
    assert [one["weight"] for one in route["route"]] == weights
    assert [one["destination"]["host"] for one in route["route"]] == ["canary-v1-pods", "canary-v2-pods"]
    # Envoy's own defaults, which Istio does not have.
    assert (route["timeout"], route["retries"]) == ("15s", {"attempts": 0})
    assert service["gateways"] == ["canary-edge"]


def test_names_of_routes_follow_their_content(plan: Planner) -> None:
    def names(change: str) -> list[str]:
        service = objects(plan, "canary", change=change)["VirtualService/canary-edge"]
        return [one["name"] for one in service["spec"]["http"]]

    assert names("") == names("")
    assert names("") != names("half")


def test_services_accept_mutual_tls_only(plan: Planner) -> None:
    found = objects(plan, "front_proxy")
    rule = found["DestinationRule/front-proxy-service2"]["spec"]
    assert (rule["host"], rule["trafficPolicy"]["tls"]) == (
        "front-proxy-service2-pods",
        {"mode": "ISTIO_MUTUAL"},
    )
    assert rule["trafficPolicy"]["loadBalancer"] == {"simple": "ROUND_ROBIN"}
    strict = found["PeerAuthentication/front-proxy-service2"]["spec"]
    assert (strict["mtls"], "portLevelMtls" in strict) == ({"mode": "STRICT"}, False)
    # Users of the published port are outside of the mesh.
    published = found["PeerAuthentication/front-proxy-service1"]["spec"]
    assert published["portLevelMtls"] == {"8080": {"mode": "PERMISSIVE"}}


def test_gateway_has_ports_and_certificate_of_the_edge(plan: Planner) -> None:
    spec = objects(plan, "front_proxy")["Gateway/front-proxy-edge"]["spec"]
    assert [(one["port"]["number"], one["port"]["protocol"]) for one in spec["servers"]] == [
        (8080, "HTTP"),
        (8443, "HTTPS"),
    ]
    certificate = "/etc/istio/demo/certs/tls.crt"
    assert (spec["servers"][1]["tls"]["mode"], spec["servers"][1]["tls"]["serverCertificate"]) == (
        "SIMPLE",
        certificate,
    )


def test_gateway_selects_pods_of_its_namespace(plan: Planner) -> None:
    found = objects(plan, "canary", cluster={"namespace": "shop"})
    selector = found["Gateway/canary-edge"]["spec"]["selector"]
    assert selector["meshlab.envoy/namespace"] == "shop"
    labels = found["Deployment/canary-edge"]["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    for service in (one for one in found.values() if one["kind"] == "Service"):
        assert service["metadata"]["annotations"]["networking.istio.io/exportTo"] == "."


def test_stats_are_those_of_istio_proxies(plan: Planner) -> None:
    found = planned(plan, "canary")
    assert {one["name"]: (one["container"], one["port"]) for one in found["endpoints"]} == dict.fromkeys(
        ["v1", "v2", "edge"], ("istio-proxy", 15000)
    )
    share, total, arrived = found["assertions"]
    assert share["match"] == (
        r"cluster\.outbound\|8080\|\|canary\-v2\-pods\.[^.;]+\.svc\.[^;]+;\.upstream_rq_total"
    )
    assert share["over_match"] == r"http\.outbound_[^;]*_8091;\.downstream_rq_total"
    assert (total["value"], arrived["match"]) == (2000, r"http\.inbound_[^;]*_8080;\.downstream_rq_2xx")


def test_gateway_confirms_its_routes_and_pods(plan: Planner) -> None:
    found = planned(plan, "front_proxy", replicas={"service1": 3})
    received = {one["proxy"]: one["received"] for one in found["admins"]}
    assert received["service1"] == {"routes": [], "listeners": 0, "members": {}}
    assert (received["edge"]["listeners"], len(received["edge"]["routes"])) == (2, 3)
    hosts = {name: one["hosts"] for name, one in received["edge"]["members"].items()}
    assert hosts == {
        "outbound|8080||front-proxy-service1-pods.": 3,
        "outbound|8080||front-proxy-service2-pods.": 1,
    }


def test_mesh_and_edge_service_exclude_each_other(plan: Planner) -> None:
    with pytest.raises(ValueError, match=r"^context: edge: a mesh has gateways of its own\. Remove"):
        planned(plan, "canary", edge="service")


def test_pod_without_injected_proxy_is_found(plan: Planner) -> None:
    found = objects(plan, "canary")
    app, edge = (sample_pod(found[f"Deployment/canary-{group}"]) for group in ("v1", "edge"))
    assert (lacks_proxy(app), lacks_proxy(edge)) == (True, True)
    # Istio reads the template of the gateway in the annotations.
    assert edge["metadata"]["annotations"]["inject.istio.io/templates"] == "gateway"
    app["spec"]["initContainers"] = [{"name": "istio-proxy", "image": "istio/proxyv2:1"}]
    edge["spec"]["containers"][0]["image"] = "istio/proxyv2:1"
    assert (lacks_proxy(app), lacks_proxy(edge)) == (False, False)
    assert not lacks_proxy({"metadata": {}, "spec": {"containers": []}})
