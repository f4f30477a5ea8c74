# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Demos whose proxies are Istio's. What is tested is what is rendered: no Istio runs here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

DEMOS = Path(__file__).resolve().parents[5] / "playbooks" / "demos"
Planner = Callable[..., dict[str, Any]]


def objects(plan: Planner, demo: str, **context: Any) -> dict[str, dict[str, Any]]:
    """A demo's objects in a mesh, by `Kind/name`."""
    data = yaml.safe_load((DEMOS / f"{demo}.yml").read_text(encoding="utf-8"))
    # Why a demo is not for pods is not asked here, where nothing is sent.
    made = plan({**data, "unsupported_on": {}}, "kubernetes", demo, mesh="istio", **context)
    assert (made["traffic"], made["assertions"], made["endpoints"], made["admins"]) == ([], [], [], [])
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in made["manifests"]}


def test_pods_are_left_to_istios_sidecars(plan: Planner) -> None:
    made = objects(plan, "canary")
    pods = made["Deployment/canary-v1"]["spec"]["template"]
    assert pods["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"
    assert [one["name"] for one in pods["spec"]["containers"]] == ["app"]
    assert "initContainers" not in pods["spec"]
    assert "Deployment/canary-edge" not in made
    (port,) = made["Service/canary-v1"]["spec"]["ports"]
    assert (port["port"], port["appProtocol"]) == (8080, "http")


@pytest.mark.parametrize(("change", "weights"), [("", [90, 10]), ("half", [50, 50])])
def test_weights_are_the_edges(plan: Planner, change: str, weights: list[int]) -> None:
    made = objects(plan, "canary", change=change)
    (route,) = made["VirtualService/canary-edge"]["spec"]["http"]
    assert [one["weight"] for one in route["route"]] == weights
    assert [one["destination"]["host"] for one in route["route"]] == ["canary-v1", "canary-v2"]
    assert made["VirtualService/canary-edge"]["spec"]["gateways"] == ["canary-edge"]


def test_services_speak_mutual_tls(plan: Planner) -> None:
    rule = objects(plan, "canary")["DestinationRule/canary-v2"]["spec"]
    assert rule == {"host": "canary-v2", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}


def test_a_gateway_listens_where_the_edge_did(plan: Planner) -> None:
    made = objects(plan, "front_proxy")
    servers = made["Gateway/front-proxy-edge"]["spec"]["servers"]
    assert [(one["port"]["number"], one["port"]["protocol"]) for one in servers] == [
        (8080, "HTTP"),
        (8443, "HTTPS"),
    ]
    assert servers[1]["tls"] == {"mode": "SIMPLE", "credentialName": "front-proxy-edge-certs"}
    routes = made["VirtualService/front-proxy-edge"]["spec"]["http"]
    assert [one["match"] for one in routes] == [
        [{"uri": {"prefix": "/service/1"}}],
        [{"uri": {"prefix": "/service/2"}}],
        [{"uri": {"prefix": "/"}}],
    ]


@pytest.mark.parametrize(
    ("demo", "said"),
    [
        ("udp", "udp_filters: needs an Envoy of the demo|does more than Istio's sidecar"),
        ("fault_injection", "http_filters: needs an Envoy of the demo. Remove it, or leave `deployment_mesh` empty"),
        ("mutual_tls", "filters: needs an Envoy of the demo|does more than Istio's sidecar"),
    ],
)
def test_what_istio_is_told_otherwise(plan: Planner, demo: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        objects(plan, demo)
