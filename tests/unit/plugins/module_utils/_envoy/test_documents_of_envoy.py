# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's documents from data: bootstrap, listeners, clusters, TLS."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import LISTENER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import versions
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    discovery,
    overlay,
    typed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import (
    Sink,
    admin_pipe,
    bootstrap,
    candidate,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import address_cluster, cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import (
    http_connection_manager,
    tcp_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import listener
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.tls_contexts import identity, trust

ANY = "type.googleapis.com/"


def spec(**keys: Any) -> dict[str, Any]:
    """A demo's listener with its defaults."""
    return {key: option.get("default") for key, option in LISTENER.options.items()} | keys


def boot(**keys: Any) -> dict[str, Any]:
    return bootstrap("n-1", "n", "n-1", admin_pipe("n-1", 0o600), ("127.0.0.1", 9902), **keys)


def test_a_version_follows_from_the_resources() -> None:
    one, same, other = (discovery([{"name": name}]) for name in ("web", "web", "edge"))
    assert one == same
    assert one["resources"] == [{"name": "web"}]
    assert one["version_info"].startswith("sha256:")
    assert one["version_info"] != other["version_info"]


# Merging, as Envoy's --config-yaml does


@pytest.mark.parametrize(
    ("options", "merged"),
    [
        (None, {"a": {"b": 1}, "l": [1]}),
        ({"c": 2}, {"a": {"b": 1}, "l": [1], "c": 2}),
        ({"a": {"c": 2}}, {"a": {"b": 1, "c": 2}, "l": [1]}),
        ({"a": {"b": 3}}, {"a": {"b": 3}, "l": [1]}),
        ({"l": [2]}, {"a": {"b": 1}, "l": [1, 2]}),
        ({"l": None}, {"a": {"b": 1}}),
        ({"a": {"b": None}}, {"a": {}, "l": [1]}),
        ({"a": 5, "l": {"x": 1}}, {"a": 5, "l": {"x": 1}}),
    ],
)
def test_overlay(options: Any, merged: Any) -> None:
    message = {"a": {"b": 1}, "l": [1]}
    assert overlay(message, options) == merged
    assert message == {"a": {"b": 1}, "l": [1]}


def test_an_any_of_another_type_is_replaced_and_one_of_the_same_is_merged() -> None:
    message = {"typed_config": typed("a.A", x=1)}
    assert overlay(message, {"typed_config": typed("b.B", y=2)}) == {"typed_config": typed("b.B", y=2)}
    assert overlay(message, {"typed_config": typed("a.A", y=2)}) == {"typed_config": typed("a.A", x=1, y=2)}
    assert overlay(message, {"typed_config": {"y": 2}}) == {"typed_config": typed("a.A", x=1, y=2)}


# Bootstrap


def test_the_admin_is_a_unix_socket_and_never_a_port() -> None:
    assert boot()["admin"] == {"address": {"pipe": {"path": "n-1/run/admin.sock", "mode": 0o600}}}


def test_the_read_only_admin_stays_whatever_static_resources_a_demo_adds() -> None:
    added = boot(options={"static_resources": {"clusters": [{"name": "mine"}], "secrets": [{"name": "s"}]}})[
        "static_resources"
    ]
    assert [one["name"] for one in added["clusters"]] == ["admin", "mine"]
    assert [one["name"] for one in added["listeners"]] == ["admin"]
    assert added["secrets"] == [{"name": "s"}]


def test_a_demos_bootstrap_goes_over_the_collections() -> None:
    message = boot(options={"node": {"locality": {"zone": "z"}}, "stats_flush_interval": "5s"})
    assert message["node"] == {"id": "n-1", "cluster": "n", "locality": {"zone": "z"}}
    assert message["stats_flush_interval"] == "5s"


def test_who_has_stats_flushed_when_the_admin_is_asked_has_no_interval() -> None:
    assert boot()["stats_flush_interval"] == "1s"
    assert "stats_flush_interval" not in boot(options={"stats_flush_on_admin": True})


def test_stats_config_is_there_only_where_something_is_said() -> None:
    assert "stats_config" not in boot(stats_config={})
    assert boot(stats_config={"stats_tags": []})["stats_config"] == {"stats_tags": []}


def test_a_sink_over_udp_goes_to_an_address() -> None:
    message = boot(sink=Sink("dog_statsd", "udp", ("127.0.0.1", 9125), "shop"))
    assert message["stats_sinks"] == [
        {
            "name": "envoy.stat_sinks.dog_statsd",
            "typed_config": {
                "@type": f"{ANY}envoy.config.metrics.v3.DogStatsdSink",
                "prefix": "shop",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 9125}},
                "max_bytes_per_datagram": 1432,
            },
        }
    ]
    assert [one["name"] for one in message["static_resources"]["clusters"]] == ["admin"]


def test_a_sink_over_tcp_goes_through_a_cluster_that_resolves_names() -> None:
    message = boot(sink=Sink("statsd", "tcp", ("exporter", 9125), "envoy"))
    assert message["stats_sinks"][0]["typed_config"] == {
        "@type": f"{ANY}envoy.config.metrics.v3.StatsdSink",
        "prefix": "envoy",
        "tcp_cluster_name": "statsd",
    }
    added = message["static_resources"]["clusters"][1]
    assert added["name"] == "statsd"
    assert added["cluster_type"]["name"] == "envoy.clusters.dns"
    assert "@type" not in added  # in static_resources its type is known


def test_a_demos_sink_is_added_to_the_collections() -> None:
    message = boot(
        sink=Sink("statsd", "udp", ("127.0.0.1", 9125), "envoy"), options={"stats_sinks": [{"name": "mine"}]}
    )
    assert [one["name"] for one in message["stats_sinks"]] == ["envoy.stat_sinks.statsd", "mine"]


def test_the_candidate_holds_all_that_validation_would_not_read() -> None:
    fixed = boot()
    made = candidate(
        fixed, [listener("in", spec(port=1, filters=[]), "127.0.0.1", 1, "s")], [cluster("c", [])]
    )
    assert "dynamic_resources" in fixed
    assert "dynamic_resources" not in made
    static = made["static_resources"]
    assert [one["name"] for one in static["listeners"]] == ["admin", "in"]
    assert [one["name"] for one in static["clusters"]] == ["admin", "c"]
    assert not [one for one in [*static["listeners"], *static["clusters"]] if "@type" in one]
    assert [one["name"] for one in fixed["static_resources"]["clusters"]] == ["admin"]


# Clusters


def test_ip_addresses_are_not_resolved() -> None:
    made = cluster("c", [("127.0.0.1", 1), ("::1", 2)])
    assert made["type"] == "STATIC"
    assert "cluster_type" not in made


@pytest.mark.parametrize("addresses", [[("web-1", 1)], [("127.0.0.1", 1), ("web-1", 1)]])
def test_one_name_is_enough_to_resolve(addresses: Any) -> None:
    made = cluster("c", addresses)
    assert made["cluster_type"]["name"] == "envoy.clusters.dns"
    assert "type" not in made


@pytest.mark.parametrize("stated", [{"type": "STRICT_DNS"}, {"cluster_type": {"name": "x"}}])
def test_who_states_how_endpoints_are_found_is_not_contradicted(stated: dict[str, Any]) -> None:
    made = cluster("c", [("web-1", 1)], stated)
    assert {key: made[key] for key in ("type", "cluster_type") if key in made} == stated


def test_endpoints_are_all_addresses_in_order() -> None:
    made = cluster("c", [("web-1", 8080), ("web-2", 8080)])
    (group,) = made["load_assignment"]["endpoints"]
    found = [one["endpoint"]["address"]["socket_address"] for one in group["lb_endpoints"]]
    assert [(one["address"], one["port_value"]) for one in found] == [("web-1", 8080), ("web-2", 8080)]


def test_a_connection_may_take_as_long_as_envoy_itself_gives_it() -> None:
    pipe = {"pipe": {"path": "s/admin.sock", "mode": 0o600}}
    for made in (cluster("c", [("127.0.0.1", 1)]), address_cluster("admin", pipe)):
        assert "connect_timeout" not in made


def test_cluster_options_go_over_the_collections() -> None:
    made = cluster(
        "c", [("127.0.0.1", 1)], {"connect_timeout": "9s", "load_assignment": {"policy": {"x": 1}}}
    )
    assert made["connect_timeout"] == "9s"
    assert made["load_assignment"]["policy"] == {"x": 1}
    assert made["load_assignment"]["endpoints"]


# TLS


def test_a_listener_takes_its_certificate_through_sds() -> None:
    made = listener(
        "https", spec(port=1, routes=[], tls={"client_certificate": False}), "127.0.0.1", 1, "n-1/secrets"
    )
    (chain,) = made["filter_chains"]
    context = chain["transport_socket"]["typed_config"]
    common = context["common_tls_context"]
    assert common["tls_certificate_sds_secret_configs"] == [
        {
            "name": "identity",
            "sds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": "n-1/secrets/identity.yaml"},
            },
        }
    ]
    assert common["alpn_protocols"] == ["h2", "http/1.1"]
    assert context["require_client_certificate"] is False
    assert "validation_context_sds_secret_config" not in common


def test_a_listener_that_wants_a_clients_certificate_checks_it() -> None:
    tls = {"client_certificate": True}
    made = listener("mtls", spec(port=1, filters=[], tls=tls), "127.0.0.1", 1, "n-1/secrets")
    context = made["filter_chains"][0]["transport_socket"]["typed_config"]
    assert context["require_client_certificate"] is True
    source = context["common_tls_context"]["validation_context_sds_secret_config"]["sds_config"]
    assert source["path_config_source"] == {"path": "n-1/secrets/trust.yaml"}
    assert "alpn_protocols" not in context["common_tls_context"]  # not HTTP


@pytest.mark.parametrize(
    ("tls", "name"),
    [
        ({"client_certificate": False, "server_name": None}, "web"),
        ({"client_certificate": True, "server_name": "shop.example"}, "shop.example"),
    ],
)
def test_a_cluster_believes_only_its_server(tls: dict[str, Any], name: str) -> None:
    context = cluster("c", [("10.0.0.1", 1)], None, tls, "n-1/secrets", "web")["transport_socket"][
        "typed_config"
    ]
    assert context["sni"] == name
    combined = context["common_tls_context"]["combined_validation_context"]
    assert combined["default_validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "DNS", "matcher": {"exact": name}}
    ]
    assert combined["validation_context_sds_secret_config"]["name"] == "trust"
    own = context["common_tls_context"].get("tls_certificate_sds_secret_configs")
    assert bool(own) is tls["client_certificate"]


def test_without_tls_nothing_is_encrypted() -> None:
    assert "transport_socket" not in cluster("c", [("10.0.0.1", 1)])
    assert "transport_socket" not in listener("l", spec(port=1, routes=[]), "::1", 1, "s")["filter_chains"][0]


@pytest.mark.parametrize("make", [identity, trust])
def test_certificates_are_files_whose_folder_is_watched(make: Any) -> None:
    (secret,) = make("n-1/certs", "n-1/certs")["resources"]
    (content,) = [value for key, value in secret.items() if key not in ("@type", "name")]
    assert content["watched_directory"] == {"path": "n-1/certs"}
    files = [one["filename"] for one in content.values() if "filename" in one]
    assert files
    assert all(file.startswith("n-1/certs/") for file in files)


# Listeners and filters


def test_routes_are_one_virtual_host_for_all_domains() -> None:
    made = listener("http", spec(port=1, routes=[{"r": 1}]), "0.0.0.0", 8080, "s")
    assert made["address"] == {"socket_address": {"address": "0.0.0.0", "port_value": 8080}}
    manager = made["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["stat_prefix"] == "http"
    assert manager["route_config"]["virtual_hosts"] == [
        {"name": "http", "domains": ["*"], "routes": [{"r": 1}]}
    ]


def test_virtual_hosts_are_taken_as_they_are() -> None:
    hosts = [{"name": "a", "domains": ["a.example"], "routes": []}]
    made = listener("http", spec(port=1, virtual_hosts=hosts), "0.0.0.0", 8080, "s")
    assert made["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"] == hosts


def test_listener_options_go_over_the_collections() -> None:
    options = {"per_connection_buffer_limit_bytes": 5, "filter_chains": [{"name": "second"}]}
    made = listener("l", spec(port=1, filters=[{"name": "f"}], listener=options), "0.0.0.0", 1, "s")
    assert made["per_connection_buffer_limit_bytes"] == 5
    assert [one.get("name") for one in made["filter_chains"]] == [None, "second"]


def test_the_router_comes_last() -> None:
    manager = http_connection_manager("s", [], [{"name": "fault"}])["typed_config"]
    assert [one["name"] for one in manager["http_filters"]] == ["fault", "envoy.filters.http.router"]


@pytest.mark.parametrize("wanted", [True, False])
def test_the_access_log(wanted: bool) -> None:
    manager = http_connection_manager("s", [], access_log=wanted)["typed_config"]
    assert ("access_log" in manager) is wanted


def test_paths_are_normalized_before_they_are_looked_at() -> None:
    manager = http_connection_manager("s", [])["typed_config"]
    assert manager["normalize_path"] is True
    assert manager["merge_slashes"] is True


def test_tcp_proxy() -> None:
    assert tcp_proxy("p", "c")["typed_config"] == {
        "@type": f"{ANY}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "p",
        "cluster": "c",
    }


# Versions


@pytest.mark.parametrize("version", [*versions.SUPPORTED.values(), "1.38.99"])
def test_supported_versions(version: str) -> None:
    assert versions.check(version) == version


@pytest.mark.parametrize(
    "version", ["1.35.0", "1.41.0", "1.40", "2.40.0", "v1.40.0", "1.40.x", "1.40.0.1", "1.4.0", ""]
)
def test_other_versions(version: str) -> None:
    with pytest.raises(versions.UnsupportedVersion) as caught:
        versions.check(version)
    assert str(caught.value) == (
        f"Envoy {version} is not supported; choose one of {', '.join(versions.SUPPORTED.values())}, or another patch of these"
    )
    assert versions.OLDEST in str(caught.value)
    assert versions.NEWEST in str(caught.value)
