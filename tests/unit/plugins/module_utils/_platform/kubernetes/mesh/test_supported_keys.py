# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the keys that Istio's proxies cannot replace: each refusal names the key of the demo file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import merge

Planner = Callable[..., dict[str, Any]]
DEMO: dict[str, Any] = {
    "summary": "One service behind an edge",
    "ports": 20000,
    "services": {"web": {"sidecar": {}}},
    "proxies": {
        "edge": {
            "listeners": {
                "http": {
                    "port": 8080,
                    "publish": 20001,
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}],
                }
            },
            "clusters": {"web": {"to": "web"}},
        }
    },
}
ROUTE = {"match": {"prefix": "/"}, "route": {"cluster": "web"}}
ROUTES = ("proxies", "edge", "listeners", "http", "routes")


def nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("statsd_exporter",), {}, "statsd_exporter"),
        (("services", "web", "sidecar", "statsd"), {"address": "127.0.0.1"}, "services.web.sidecar.statsd"),
        (
            ("services", "web", "sidecar", "listeners"),
            {"ingress": {"port": 10000, "tls": {}}},
            "services.web.sidecar.listeners.ingress.tls",
        ),
        (
            ("services", "web", "sidecar", "listeners"),
            {"ingress": {"port": 10000, "http_filters": [{"name": "x"}]}},
            "services.web.sidecar.listeners.ingress.http_filters",
        ),
        (
            ("services", "web", "sidecar", "listeners"),
            {"ingress": {"port": 10000, "routes": [{**ROUTE, "name": "own"}]}},
            "services.web.sidecar.listeners.ingress.routes",
        ),
        (
            ("services", "web", "sidecar", "listeners"),
            {"one": {"port": 10000}, "two": {"port": 10001}},
            "services.web.sidecar.listeners.two",
        ),
        (
            ("services", "web", "sidecar", "clusters"),
            {"other": {"address": "192.0.2.1", "port": 80}},
            "services.web.sidecar.clusters.other",
        ),
        (("proxies", "edge", "bootstrap"), {"flags_path": "/x"}, "proxies.edge.bootstrap"),
        (("proxies", "edge", "admin"), {"publish": 20002}, "proxies.edge.admin"),
        (
            ("proxies", "edge", "clusters", "web"),
            {"cluster": {"lb_policy": "RANDOM"}},
            "proxies.edge.clusters.web.cluster",
        ),
        (("proxies", "edge", "clusters", "web"), {"tls": {}}, "proxies.edge.clusters.web.tls"),
        (("proxies", "edge", "clusters", "web"), {"to": "edge/http"}, "proxies.edge.clusters.web.to"),
        (("proxies", "edge", "clusters", "more"), {"to": "web"}, "proxies.edge.clusters.more.to"),
        (
            ("proxies", "edge", "listeners", "http"),
            {"http_connection_manager": {"via": "x"}},
            "proxies.edge.listeners.http.http_connection_manager",
        ),
        (
            ("proxies", "edge", "listeners", "http"),
            {"tls": {"client_certificate": True}},
            "proxies.edge.listeners.http.tls.client_certificate",
        ),
        (
            ("proxies", "edge", "listeners", "other"),
            {"port": 8081, "routes": [{"match": {"path": "/x"}, "route": {"cluster": "web"}}]},
            "proxies.edge.listeners",
        ),
        (ROUTES, [{**ROUTE, "decorator": {"operation": "x"}}], "proxies.edge.listeners.http.routes[0].decorator"),
        (
            ROUTES,
            [ROUTE, {"match": {"prefix": "/", "headers": []}, "route": {"cluster": "web"}}],
            "proxies.edge.listeners.http.routes[1].match",
        ),
        (
            ROUTES,
            [{"match": {"prefix": "/"}, "route": {"cluster": "web", "timeout": "1s"}}],
            "proxies.edge.listeners.http.routes[0].route.timeout",
        ),
        (("traffic",), [{"to": "edge/admin", "path": "/stats"}], "traffic[0].to"),
        (
            ("expectations",),
            [{"at": "edge", "stat": "tcp.http.downstream_cx_total", "op": "eq", "value": 1}],
            "expectations[0].stat",
        ),
        (
            ("expectations",),
            [{"at": "edge", "stat": "listener_manager.listener_in_place_updated", "op": "eq", "value": 1}],
            "expectations[0].stat",
        ),
        (
            ("expectations",),
            [{"at": "edge", "stat": "envoy_x", "labels": {"a": "b"}, "op": "eq", "value": 1}],
            "expectations[0].labels",
        ),
    ],
)  # fmt: skip
def test_refusal_names_the_key(plan: Planner, path: tuple[str, ...], value: Any, key: str) -> None:
    with pytest.raises(ValueError, match="deployment_mesh") as error:
        plan(merge(DEMO, nested(path, value)), "kubernetes", mesh="istio")
    assert str(error.value).startswith(f"shop.yml: {key}: ")
    assert str(error.value).endswith(" Remove it, or leave `deployment_mesh` empty.")


def test_forwarding_demo_is_supported(plan: Planner) -> None:
    found = plan(DEMO, "kubernetes", mesh="istio")
    assert {one["kind"] for one in found["manifests"]} >= {"Gateway", "VirtualService", "DestinationRule"}
