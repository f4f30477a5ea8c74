# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of a demo in a cluster with Istio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

DEMOS = Path(__file__).resolve().parents[7] / "playbooks" / "demos"


Planner = Callable[..., dict[str, Any]]


def objects(plan: Planner, demo: str, **context: Any) -> dict[str, dict[str, Any]]:
    """Return the objects of a demo in a mesh, by `Kind/name`."""
    data = yaml.safe_load((DEMOS / f"{demo}.yml").read_text(encoding="utf-8"))
    # No request is sent in a mesh, so `unsupported_on` does not apply.
    planned = plan({**data, "unsupported_on": {}}, "kubernetes", demo, mesh="istio", **context)
    assert (planned["traffic"], planned["assertions"], planned["endpoints"], planned["admins"]) == (
        [],
        [],
        [],
        [],
    )
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in planned["manifests"]}


def test_pods_have_no_envoy_of_the_demo(plan: Planner) -> None:
    planned = objects(plan, "canary")
    pods = planned["Deployment/canary-v1"]["spec"]["template"]
    assert pods["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"
    assert [one["name"] for one in pods["spec"]["containers"]] == ["app"]
    assert "initContainers" not in pods["spec"]
    assert "Deployment/canary-edge" not in planned
    (port,) = planned["Service/canary-v1"]["spec"]["ports"]
    assert (port["port"], port["appProtocol"]) == (8080, "http")


@pytest.mark.parametrize(("change", "weights"), [("", [90, 10]), ("half", [50, 50])])
def test_virtual_service_has_weights_of_the_edge(plan: Planner, change: str, weights: list[int]) -> None:
    planned = objects(plan, "canary", change=change)
    (route,) = planned["VirtualService/canary-edge"]["spec"]["http"]
    assert [one["weight"] for one in route["route"]] == weights
    assert [one["destination"]["host"] for one in route["route"]] == ["canary-v1", "canary-v2"]
    assert planned["VirtualService/canary-edge"]["spec"]["gateways"] == ["canary-edge"]


def test_services_use_mutual_tls(plan: Planner) -> None:
    rule = objects(plan, "canary")["DestinationRule/canary-v2"]["spec"]
    assert rule == {"host": "canary-v2", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}


def test_gateway_has_the_ports_of_the_edge(plan: Planner) -> None:
    planned = objects(plan, "front_proxy")
    servers = planned["Gateway/front-proxy-edge"]["spec"]["servers"]
    assert [(one["port"]["number"], one["port"]["protocol"]) for one in servers] == [
        (8080, "HTTP"),
        (8443, "HTTPS"),
    ]
    assert servers[1]["tls"] == {"mode": "SIMPLE", "credentialName": "front-proxy-edge-certs"}
    routes = planned["VirtualService/front-proxy-edge"]["spec"]["http"]
    assert [one["match"] for one in routes] == [
        [{"uri": {"prefix": "/service/1"}}],
        [{"uri": {"prefix": "/service/2"}}],
        [{"uri": {"prefix": "/"}}],
    ]


@pytest.mark.parametrize(
    ("demo", "message"),
    [
        ("udp", "udp_filters: needs an Envoy of the demo|does more than Istio's sidecar"),
        (
            "fault_injection",
            "http_filters: needs an Envoy of the demo. Remove it, or leave `deployment_mesh` empty",
        ),
        ("mutual_tls", "filters: needs an Envoy of the demo|does more than Istio's sidecar"),
    ],
)
def test_unsupported_proxy_is_refused(plan: Planner, demo: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        objects(plan, demo)
