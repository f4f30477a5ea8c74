# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of a demo whose edge proxies are replaced by Services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.service_edge import (
    without_edges,
)

DEMOS = Path(__file__).resolve().parents[7] / "playbooks" / "demos"


def gallery(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((DEMOS / f"{name}.yml").read_text(encoding="utf-8"))
    return data


def front_proxy(**edge: Any) -> dict[str, Any]:
    data = gallery("front_proxy")
    data["proxies"]["edge"].update(edge)
    return data


def test_traffic_goes_to_the_routed_sidecar() -> None:
    demo = without_edges(read_demo("front_proxy", front_proxy()))
    assert demo["proxies"] == {}
    assert [(one["name"], one["to"]) for one in demo["traffic"]] == [
        ("service 1 through the edge", "service1"),
        ("service 2 through the edge", "service2"),
        ("service 1 over TLS", "service1"),
        ("directly to the app", "service1/app"),
    ]
    assert demo["services"]["service2"]["sidecar"]["listeners"]["ingress"]["publish"] == 10000


def test_expectations_at_the_edge_are_left_out() -> None:
    demo = without_edges(read_demo("front_proxy", front_proxy()))
    assert [one["at"] for one in demo["expectations"]] == ["service1", "service2"]
    assert not [one for traffic in demo["traffic"] for one in traffic.get("expect", ()) if "hosts" in one]
    assert [one["to"] for one in demo["changes"]["scaled"]["during"]] == ["service1"]


def test_comparisons_with_the_edge_are_left_out() -> None:
    data = front_proxy()
    data["expectations"] = [
        {"at": "service1", "stat": "a", "op": "eq", "value": {"at": at, "stat": "b"}}
        for at in ("edge", "service2", ["service2", "edge"])
    ]
    kept = without_edges(read_demo("front_proxy", data))["expectations"]
    assert [one["value"]["at"] for one in kept] == ["service2"]


def test_demo_without_edge_is_unchanged() -> None:
    demo = read_demo("service_envoy", gallery("service_envoy"))
    assert without_edges(demo) == demo


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mutual_tls", r"proxies\.edge\.listeners\.plain\.filters: a Service does not support it"),
        ("udp", r"proxies\.edge\.listeners\.\w+\.udp_filters: a Service does not support it"),
        ("fault_injection", r"proxies\.edge\.listeners\.\w+\.http_filters: a Service does not support it"),
    ],
)
def test_edge_that_does_more_is_refused(name: str, message: str) -> None:
    with pytest.raises(DemoError, match=message):
        without_edges(read_demo(name, gallery(name)))


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        (
            {"listeners": {"http": {"port": 8080, "routes": [{"match": {"prefix": "/"}, "redirect": {}}]}}},
            r"proxies\.edge\.listeners\.http\.routes\[0\]: a Service only forwards requests",
        ),
        (
            {"clusters": {"service1": {"to": "service1", "tls": {}}, "service2": {"to": "service2"}}},
            r"proxies\.edge\.clusters\.service1: a Service only forwards requests to a service",
        ),
    ],
)
def test_route_or_cluster_that_does_more_is_refused(edge: dict[str, Any], message: str) -> None:
    with pytest.raises(DemoError, match=message):
        without_edges(read_demo("front_proxy", front_proxy(**edge)))
