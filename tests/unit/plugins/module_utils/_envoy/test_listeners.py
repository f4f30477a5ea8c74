# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test listeners: filter chains, protocols, TLS and overrides."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_listener_spec import listener_spec

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import socket_address
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import (
    filter_chains,
    listener,
    scheme,
    uses_udp,
)


def test_routes_are_one_virtual_host_for_all_domains() -> None:
    message = listener("http", listener_spec(port=1, routes=[{"r": 1}]), socket_address("0.0.0.0", 8080), "s")
    assert message["address"] == {"socket_address": {"address": "0.0.0.0", "port_value": 8080}}
    manager = message["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["stat_prefix"] == "http"
    assert manager["route_config"]["virtual_hosts"] == [
        {"name": "http", "domains": ["*"], "routes": [{"r": 1}]}
    ]


def test_virtual_hosts_are_not_modified() -> None:
    virtual_hosts = [{"name": "a", "domains": ["a.example"], "routes": []}]
    message = listener(
        "http", listener_spec(port=1, virtual_hosts=virtual_hosts), socket_address("0.0.0.0", 8080), "s"
    )
    manager = message["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["route_config"]["virtual_hosts"] == virtual_hosts


def test_udp_filters_make_a_udp_listener() -> None:
    message = listener(
        "dns", listener_spec(port=1, udp_filters=[{"name": "f"}]), socket_address("0.0.0.0", 53), "s"
    )
    assert message["address"]["socket_address"]["protocol"] == "UDP"
    assert message["listener_filters"] == [{"name": "f"}]
    assert "filter_chains" not in message


def test_filter_chains_have_their_names_and_matches() -> None:
    chain = {**listener_spec(filters=[{"name": "f"}]), "match": {"server_names": ["a.example"]}}
    message = listener(
        "in", listener_spec(port=1, filter_chains={"a": chain}), socket_address("0.0.0.0", 1), "s"
    )
    assert message["filter_chains"] == [
        {"name": "a", "filter_chain_match": {"server_names": ["a.example"]}, "filters": [{"name": "f"}]}
    ]


def test_overrides_are_merged_into_the_listener() -> None:
    overrides = {"per_connection_buffer_limit_bytes": 5, "filter_chains": [{"name": "second"}]}
    message = listener(
        "l",
        listener_spec(port=1, filters=[{"name": "f"}], listener=overrides),
        socket_address("0.0.0.0", 1),
        "s",
    )
    assert message["per_connection_buffer_limit_bytes"] == 5
    assert message["filter_chains"] == [{"name": "second"}]


@pytest.mark.parametrize(
    ("spec", "alpn_protocols"),
    [({"routes": []}, ["h2", "http/1.1"]), ({"filters": []}, None)],
    ids=["http", "tcp"],
)
def test_only_an_http_listener_offers_alpn_protocols(spec: dict[str, Any], alpn_protocols: Any) -> None:
    tls = {"client_certificate": False}
    message = listener(
        "l", listener_spec(port=1, tls=tls, **spec), socket_address("127.0.0.1", 1), "n-1/secrets"
    )
    context = message["filter_chains"][0]["transport_socket"]["typed_config"]
    assert context["common_tls_context"].get("alpn_protocols") == alpn_protocols


def test_listener_without_tls_has_no_transport_socket() -> None:
    message = listener("l", listener_spec(port=1, routes=[]), socket_address("::1", 1), "s")
    assert "transport_socket" not in message["filter_chains"][0]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"routes": []}, "http"),
        ({"routes": [], "tls": {}}, "https"),
        ({"filters": []}, "tcp"),
        ({"filters": [], "tls": {}}, "tls"),
        ({"udp_filters": []}, "udp"),
        ({"filter_chains": {"a": listener_spec(filters=[], tls={})}}, "tls"),
    ],
)
def test_scheme_is_the_protocol_of_the_listener(spec: dict[str, Any], expected: str) -> None:
    assert scheme(listener_spec(**spec)) == expected


def test_listener_without_chains_is_its_only_chain() -> None:
    spec = listener_spec(routes=[])
    assert filter_chains(spec) == [spec]
    assert filter_chains(listener_spec(filter_chains={"a": spec, "b": spec})) == [spec, spec]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"routes": []}, False),
        ({"udp_filters": []}, True),
        ({"routes": [], "listener": {"address": {"socket_address": {"protocol": "UDP"}}}}, True),
        ({"routes": [], "listener": {"address": {"socketAddress": {"protocol": "UDP"}}}}, True),
        ({"routes": [], "listener": {"address": {"socket_address": {"protocol": "TCP"}}}}, False),
        ({"routes": [], "listener": {"address": {"pipe": {"path": "a"}}}}, False),
        ({"routes": [], "listener": {"address": None}}, False),
    ],
    ids=["http", "udp filters", "UDP", "camelCase", "TCP", "pipe", "null"],
)
def test_listener_uses_udp_by_its_address(keys: dict[str, Any], expected: bool) -> None:
    assert uses_udp(listener_spec(port=1, **keys)) is expected
