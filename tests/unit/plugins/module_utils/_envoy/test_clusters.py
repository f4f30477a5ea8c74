# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test clusters: endpoints, discovery type, TLS and overrides."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import (
    address_cluster,
    cluster,
    is_ip,
)


def test_cluster_of_ip_addresses_is_static() -> None:
    message = cluster("c", [("127.0.0.1", 1), ("::1", 2)])
    assert message["type"] == "STATIC"
    assert "cluster_type" not in message


@pytest.mark.parametrize("addresses", [[("web-1", 1)], [("127.0.0.1", 1), ("web-1", 1)]])
def test_cluster_with_one_host_name_uses_dns(addresses: Any) -> None:
    message = cluster("c", addresses)
    assert message["cluster_type"]["name"] == "envoy.clusters.dns"
    assert "type" not in message


@pytest.mark.parametrize("overrides", [{"type": "STRICT_DNS"}, {"cluster_type": {"name": "x"}}])
def test_discovery_type_of_the_overrides_is_the_only_one(overrides: dict[str, Any]) -> None:
    message = cluster("c", [("web-1", 1)], overrides)
    assert {key: message[key] for key in ("type", "cluster_type") if key in message} == overrides


@pytest.mark.parametrize("host", ["web-1", "10.0.0.1"])
@pytest.mark.parametrize(
    "field",
    [
        {"dns_lookup_family": "V6_ONLY"},
        {"dnsLookupFamily": "V6_ONLY"},
        {"dns_refresh_rate": "60s"},
        {"respect_dns_ttl": True},
        {"typed_dns_resolver_config": {"name": "envoy.network.dns_resolver.cares"}},
    ],
    ids=lambda field: str(next(iter(field))),
)
def test_dns_fields_of_a_cluster_take_effect(host: str, field: dict[str, Any]) -> None:
    message = cluster("c", [(host, 1)], field, refresh="7s")
    assert message["type"] == "STRICT_DNS"
    assert "cluster_type" not in message
    generated = {"dns_lookup_family": "V4_PREFERRED", "dns_refresh_rate": "7s"}
    snake = {"dns_lookup_family" if name == "dnsLookupFamily" else name: one for name, one in field.items()}
    expected = {**generated, **snake}
    assert {name: message[name] for name in expected} == expected


def test_endpoints_are_all_addresses_in_order() -> None:
    message = cluster("c", [("web-1", 8080), ("web-2", 8080)])
    (group,) = message["load_assignment"]["endpoints"]
    addresses = [one["endpoint"]["address"]["socket_address"] for one in group["lb_endpoints"]]
    assert [(one["address"], one["port_value"]) for one in addresses] == [("web-1", 8080), ("web-2", 8080)]


def test_localities_group_the_endpoints() -> None:
    localities = [({"priority": 0}, [("10.0.0.1", 1)]), ({"priority": 1}, [("10.0.0.2", 1)])]
    message = cluster("c", [("10.0.0.1", 1), ("10.0.0.2", 1)], localities=localities)
    groups = message["load_assignment"]["endpoints"]
    assert [(group["priority"], len(group["lb_endpoints"])) for group in groups] == [(0, 1), (1, 1)]


def test_connect_timeout_is_the_default_of_envoy() -> None:
    pipe = {"pipe": {"path": "s/admin.sock", "mode": 0o600}}
    for message in (cluster("c", [("127.0.0.1", 1)]), address_cluster("admin", pipe)):
        assert "connect_timeout" not in message


def test_address_cluster_has_no_mode_of_the_pipe() -> None:
    message = address_cluster("admin", {"pipe": {"path": "s/admin.sock", "mode": 0o600}})
    (endpoint,) = message["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint == {"endpoint": {"address": {"pipe": {"path": "s/admin.sock"}}}}


def test_overrides_replace_generated_fields() -> None:
    overrides = {"connect_timeout": "9s", "load_assignment": {"policy": {"x": 1}}}
    message = cluster("c", [("127.0.0.1", 1)], overrides)
    assert message["connect_timeout"] == "9s"
    assert message["load_assignment"]["policy"] == {"x": 1}
    assert message["load_assignment"]["endpoints"]


def test_cluster_without_tls_has_no_transport_socket() -> None:
    assert "transport_socket" not in cluster("c", [("10.0.0.1", 1)])


@pytest.mark.parametrize(
    ("tls_name", "expected"), [(None, "web"), ("shop.example", "shop.example")], ids=["service", "stated"]
)
def test_server_name_of_tls_has_precedence(tls_name: str | None, expected: str) -> None:
    tls = {"client_certificate": False, "server_name": tls_name}
    message = cluster("c", [("10.0.0.1", 1)], None, tls, "n-1/secrets", "web")
    assert message["transport_socket"]["typed_config"]["sni"] == expected


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("web-1", False), ("", False)]
)
def test_is_ip(host: str, expected: bool) -> None:
    assert is_ip(host) is expected


def test_unix_socket_is_the_pipe_of_a_static_cluster() -> None:
    made = cluster("app", [("unix:///run/app.sock", 0)])
    assert made["type"] == "STATIC"
    [endpoint] = made["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint == {"endpoint": {"address": {"pipe": {"path": "/run/app.sock"}}}}


def test_cluster_without_addresses_has_only_the_authors_fields() -> None:
    made = cluster("original", None, {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"})
    assert {key: made[key] for key in made if key != "@type"} == {
        "name": "original",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
    }


def test_endpoints_of_the_author_get_the_name_of_the_cluster() -> None:
    made = cluster("app", None, {"load_assignment": {"endpoints": [{"lb_endpoints": []}]}})
    assert made["load_assignment"] == {"cluster_name": "app", "endpoints": [{"lb_endpoints": []}]}
