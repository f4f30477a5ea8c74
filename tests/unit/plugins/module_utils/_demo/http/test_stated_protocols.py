# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the key protocol of listeners and clusters."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, ROUTES, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

HTTP = f"{EDGE}.listeners.http"
QUIC = {"port": 8444, "protocol": "http3", "routes": ROUTES}
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def explicit(field: str) -> dict[str, Any]:
    options = {"@type": f"type.googleapis.com/{OPTIONS}", "explicit_http_config": {field: {}}}
    return {"typed_extension_protocol_options": {OPTIONS: options}}


def test_http3_has_tls_without_the_key() -> None:
    demo = read_demo("shop", changed(f"{EDGE}.listeners.quic", QUIC))
    assert demo["proxies"]["edge"]["listeners"]["quic"]["tls"]["client_certificate"] is False
    demo = read_demo("shop", changed(f"{EDGE}.clusters.far", {"to": "web", "protocol": "http3"}))
    assert demo["proxies"]["edge"]["clusters"]["far"]["tls"] is not None


def test_own_quic_fields_state_the_protocol() -> None:
    own = {
        "port": 8444,
        "tls": {},
        "routes": ROUTES,
        "http_connection_manager": {"codecType": "HTTP3"},
        "listener": {"udp_listener_config": {"quic_options": {}}},
    }
    demo = read_demo("shop", changed(f"{EDGE}.listeners.quic", own))
    assert demo["proxies"]["edge"]["listeners"]["quic"]["protocol"] == "http3"
    cluster = {"to": "web", "tls": {}, "cluster": explicit("http3_protocol_options")}
    demo = read_demo("shop", changed(f"{EDGE}.clusters.far", cluster))
    assert demo["proxies"]["edge"]["clusters"]["far"]["protocol"] == "http3"


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (
            f"{EDGE}.listeners.tcp",
            {"port": 1, "protocol": "http2", "filters": []},
            "listeners.tcp.protocol: applies to one HTTP listener, but this one has 'filters'.",
        ),
        (
            f"{HTTP}.protocol",
            "h3",
            "listeners.http.protocol: unknown choice 'h3'. Use one of: http1, http2, http3.",
        ),
        (
            f"{EDGE}.listeners.quic",
            {"unix_socket": "a", "protocol": "http3", "routes": ROUTES},
            "listeners.quic.unix_socket: QUIC needs a UDP port. Use 'port'.",
        ),
        (
            f"{EDGE}.listeners.h2",
            {
                "port": 1,
                "protocol": "http2",
                "routes": ROUTES,
                "http_connection_manager": {"codec_type": "HTTP1"},
            },
            "codec_type: 'HTTP1' contradicts 'protocol: http2'. Remove one.",
        ),
        (f"{HTTP}.alt_svc", "quic", "listeners.http.alt_svc: the proxy has no HTTP/3 listener."),
        (
            f"{EDGE}.clusters.far",
            {"to": "web", "protocol": "http2", "cluster": explicit("http3_protocol_options")},
            "clusters.far.protocol: 'http3_protocol_options' of 'cluster' states another one. Remove one of them.",
        ),
        (
            f"{EDGE}.clusters.far",
            {"to": "web", "protocol": "http2", "cluster": {"http2_protocol_options": {}}},
            "clusters.far.cluster.http2_protocol_options: the deprecated form of 'protocol: http2'.",
        ),
    ],
)
def test_contradicting_protocol_is_refused(path: str, value: Any, error: str) -> None:
    assert error in error_of(changed(path, value))


def test_alt_svc_names_an_http3_listener() -> None:
    data = changed(f"{EDGE}.listeners.quic", QUIC)
    data["proxies"]["edge"]["listeners"]["http"]["alt_svc"] = "quick"
    assert "alt_svc: unknown HTTP/3 listener 'quick'. Did you mean 'quic'?" in error_of(data)
    data["proxies"]["edge"]["listeners"]["http"].pop("alt_svc")
    data["proxies"]["edge"]["listeners"]["quic"]["alt_svc"] = "quic"
    assert "announces HTTP/3 to clients of another version" in error_of(data)
