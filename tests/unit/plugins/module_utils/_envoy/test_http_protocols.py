# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the messages of a stated version of HTTP."""

from __future__ import annotations

from typing import Any

from envoy_listener_spec import listener_spec

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import TLS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import socket_address
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import HTTP_OPTIONS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import (
    listener,
    only_codec,
    scheme,
    uses_udp,
)

NO_TLS_KEYS = {key: option.get("default") for key, option in TLS.options.items()}


def http_listener(**keys: Any) -> Any:
    spec = listener_spec(port=1, routes=[], **keys)
    return listener("a", spec, socket_address("127.0.0.1", 1), "edge/secrets")


def manager_of(message: Any) -> Any:
    return message["filter_chains"][0]["filters"][0]["typed_config"]


def test_http3_listener_receives_quic() -> None:
    message = http_listener(protocol="http3", tls=NO_TLS_KEYS)
    assert message["address"]["socket_address"]["protocol"] == "UDP"
    assert message["udp_listener_config"]["quic_options"] == {}
    socket = message["filter_chains"][0]["transport_socket"]
    assert socket["name"] == "envoy.transport_sockets.quic"
    context = socket["typed_config"]["downstream_tls_context"]
    assert context["common_tls_context"]["alpn_protocols"] == ["h3"]
    assert "@type" not in context
    assert (manager_of(message)["codec_type"], manager_of(message)["http3_protocol_options"]) == ("HTTP3", {})
    spec = listener_spec(port=1, routes=[], protocol="http3", tls=NO_TLS_KEYS)
    assert (scheme(spec), uses_udp(spec), only_codec(spec)) == ("https", True, "HTTP3")


def test_protocol_of_a_listener_is_its_only_codec() -> None:
    message = http_listener(protocol="http2", tls=NO_TLS_KEYS)
    context = message["filter_chains"][0]["transport_socket"]["typed_config"]
    assert context["common_tls_context"]["alpn_protocols"] == ["h2"]
    assert manager_of(message)["codec_type"] == "HTTP2"
    assert "codec_type" not in manager_of(http_listener())


def test_alt_svc_is_a_header_of_each_response() -> None:
    [added] = manager_of(http_listener(alt_svc_port=8443))["route_config"]["response_headers_to_add"]
    assert added["header"] == {"key": "alt-svc", "value": 'h3=":8443"; ma=86400'}


def test_http3_cluster_has_quic_and_its_options() -> None:
    message = cluster("a", [("web", 1)], tls=NO_TLS_KEYS, server_name="web", protocol="http3")
    context = message["transport_socket"]["typed_config"]["upstream_tls_context"]
    assert (context["sni"], message["transport_socket"]["name"]) == ("web", "envoy.transport_sockets.quic")
    options = message["typed_extension_protocol_options"][HTTP_OPTIONS]
    assert options["explicit_http_config"] == {"http3_protocol_options": {}}


def test_own_options_of_a_cluster_are_merged() -> None:
    own = {HTTP_OPTIONS: {"common_http_protocol_options": {"idle_timeout": "1s"}}}
    message = cluster("a", [("web", 1)], {"typed_extension_protocol_options": own}, protocol="http2")
    options = message["typed_extension_protocol_options"][HTTP_OPTIONS]
    assert options["explicit_http_config"] == {"http2_protocol_options": {}}
    assert options["common_http_protocol_options"] == {"idle_timeout": "1s"}
