# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of clusters whose target does not speak what the proxy sends."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import tcp_proxy, udp_proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

CONTEXT = {
    "platform": "docker",
    "folder": "/state",
    "envoy": {"image": "e"},
    "python": {"image": "p"},
    "app": "",
}
ROUTES = {"routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]}
HTTP2 = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
}


def refusal(listener: dict[str, Any], service: dict[str, Any], cluster: dict[str, Any] | None = None) -> str:
    """Return why a demo with one listener and one service is refused; empty if it is not."""
    data = {
        "summary": "s",
        "ports": 20000,
        "services": {"web": service},
        "proxies": {
            "edge": {"listeners": {"in": {"port": 8080, **listener}}, "clusters": {"web": {"to": "web", "cluster": cluster or {}}}}
        },
    }  # fmt: skip
    try:
        make_plan("shop", data, CONTEXT, "shop.yml")
    except DemoError as error:
        return str(error).removeprefix("shop.yml: proxies.edge.listeners.in.")
    return ""


SERVER = {"image": "i", "command": ["s"]}


@pytest.mark.parametrize(
    ("listener", "service", "message"),
    [
        (
            ROUTES, {"protocol": "tcp"},
            (
                "routes[0].route.cluster: sends HTTP requests to 'web/app', whose protocol is tcp. Set 'protocol: http' in 'services.web',"
                " or use a listener with 'filters'."
            ),
        ),
        (ROUTES, {"protocol": "udp"}, "routes[0].route.cluster: sends HTTP requests to 'web/app', which accepts datagrams only."),
        (ROUTES, {"protocol": "tcp", "server": SERVER}, "routes[0].route.cluster: sends HTTP requests to 'web/app', whose protocol is tcp"),
        (
            {"filters": [tcp_proxy("in", "web")]}, {"protocol": "udp"},
            "filters[0].typed_config.cluster: sends a TCP connection to 'web/app', which accepts datagrams only.",
        ),
        (
            {"udp_filters": [udp_proxy("in", "web")]}, {},
            (
                "udp_filters[0].typed_config.matcher.on_no_match.action.typed_config.cluster: sends datagrams to 'web/app', which speaks"
                " http. Use a target with UDP"
            ),
        ),
    ],
)  # fmt: skip
def test_wrong_protocol_is_refused(listener: dict[str, Any], service: dict[str, Any], message: str) -> None:
    assert refusal(listener, service).startswith(message)


def test_http2_to_the_demo_app_is_refused() -> None:
    assert "speaks HTTP/2 only, but 'web/app' is the demo app, which speaks HTTP/1.1." in refusal(
        ROUTES, {}, HTTP2
    )


@pytest.mark.parametrize(
    ("listener", "service", "cluster"),
    [
        (ROUTES, {}, {}),
        (ROUTES, {"sidecar": {}}, HTTP2),  # Envoy speaks both
        (ROUTES, {"protocol": "tcp", "server": SERVER}, HTTP2),  # a gRPC server
        ({"filters": [tcp_proxy("in", "web")]}, {}, {}),
        ({"udp_filters": [udp_proxy("in", "web")]}, {"protocol": "udp"}, {}),
        (
            {"routes": [{"match": {"connect_matcher": {}}, "route": {
                "cluster": "web", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}}]},
            {"protocol": "tcp"},
            {},
        ),
    ],
)  # fmt: skip
def test_fitting_protocol_is_accepted(
    listener: dict[str, Any], service: dict[str, Any], cluster: dict[str, Any]
) -> None:
    assert refusal(listener, service, cluster) == ""


@pytest.mark.parametrize(
    ("target", "cluster", "message"),
    [
        ({"protocol": "http3"}, {"protocol": "http3"}, ""),
        (
            {"protocol": "http3"},
            {},
            "sends HTTP requests over TCP to 'web/quic', which accepts QUIC only. Set 'protocol: http3' in",
        ),
        (
            {},
            {"protocol": "http3"},
            "sends HTTP/3 to 'web/quic', which accepts TCP only. Set 'protocol: http3' in the listener",
        ),
    ],
)
def test_both_sides_speak_quic_or_neither(
    target: dict[str, Any], cluster: dict[str, Any], message: str
) -> None:
    data = {
        "summary": "s",
        "ports": 20000,
        "services": {"web": {"sidecar": {"listeners": {"quic": {"port": 9000, "tls": {}, **target}}}}},
        "proxies": {
            "edge": {"listeners": {"in": {"port": 8080, **ROUTES}}, "clusters": {"web": {"to": "web/quic", "tls": {}, **cluster}}}
        },
    }  # fmt: skip
    error = ""
    try:
        make_plan("shop", data, CONTEXT, "shop.yml")
    except DemoError as caught:
        error = str(caught)
    assert message in error if message else error == ""
