# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the Bootstrap message and the candidate that Envoy validates."""

from __future__ import annotations

from typing import Any

from envoy_listener_spec import listener_spec

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import (
    StatsSink,
    admin_pipe,
    bootstrap,
    candidate,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import listener


def made_bootstrap(**keys: Any) -> dict[str, Any]:
    return bootstrap("n-1", "n", "n-1", admin_pipe("n-1", 0o600), ("127.0.0.1", 9902), **keys)


def test_admin_listens_on_a_unix_socket() -> None:
    assert made_bootstrap()["admin"] == {"address": {"pipe": {"path": "n-1/run/admin.sock", "mode": 0o600}}}


def test_overrides_are_added_to_the_static_resources() -> None:
    overrides = {"static_resources": {"clusters": [{"name": "mine"}], "secrets": [{"name": "s"}]}}
    static = made_bootstrap(overrides=overrides)["static_resources"]
    assert [resource["name"] for resource in static["clusters"]] == ["admin", "mine"]
    assert [resource["name"] for resource in static["listeners"]] == ["admin"]
    assert static["secrets"] == [{"name": "s"}]


def test_overrides_replace_generated_fields() -> None:
    message = made_bootstrap(overrides={"node": {"locality": {"zone": "z"}}, "stats_flush_interval": "5s"})
    assert message["node"] == {"id": "n-1", "cluster": "n", "locality": {"zone": "z"}}
    assert message["stats_flush_interval"] == "5s"


def test_flush_on_admin_removes_the_flush_interval() -> None:
    assert "stats_flush_interval" in made_bootstrap()
    assert "stats_flush_interval" not in made_bootstrap(overrides={"stats_flush_on_admin": True})


def test_flush_interval_is_longer_with_sinks() -> None:
    assert made_bootstrap()["stats_flush_interval"] == "0.1s"
    assert made_bootstrap(overrides={"statsSinks": []})["stats_flush_interval"] == "0.1s"
    with_sink = made_bootstrap(sink=StatsSink("statsd", "udp", ("127.0.0.1", 9125), "shop"))
    of_author = made_bootstrap(overrides={"statsSinks": [{"name": "envoy.stat_sinks.open_telemetry"}]})
    assert [one["stats_flush_interval"] for one in (with_sink, of_author)] == ["1s", "1s"]


def test_stats_config_is_absent_when_it_is_empty() -> None:
    assert "stats_config" not in made_bootstrap(stats_config={})
    assert made_bootstrap(stats_config={"stats_tags": []})["stats_config"] == {"stats_tags": []}


def test_udp_sink_sends_to_an_address() -> None:
    message = made_bootstrap(sink=StatsSink("dog_statsd", "udp", ("127.0.0.1", 9125), "shop"))
    assert message["stats_sinks"] == [
        {
            "name": "envoy.stat_sinks.dog_statsd",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.metrics.v3.DogStatsdSink",
                "prefix": "shop",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 9125}},
                "max_bytes_per_datagram": 1432,
            },
        }
    ]
    assert [resource["name"] for resource in message["static_resources"]["clusters"]] == ["admin"]


def test_tcp_sink_sends_through_a_dns_cluster() -> None:
    message = made_bootstrap(sink=StatsSink("statsd", "tcp", ("exporter", 9125), "envoy"))
    assert message["stats_sinks"][0]["typed_config"] == {
        "@type": "type.googleapis.com/envoy.config.metrics.v3.StatsdSink",
        "prefix": "envoy",
        "tcp_cluster_name": "statsd",
    }
    statsd_cluster = message["static_resources"]["clusters"][1]
    assert statsd_cluster["name"] == "statsd"
    assert statsd_cluster["cluster_type"]["name"] == "envoy.clusters.dns"
    # Envoy rejects an @type in static_resources.
    assert "@type" not in statsd_cluster


def test_sink_of_the_overrides_is_added() -> None:
    sink = StatsSink("statsd", "udp", ("127.0.0.1", 9125), "envoy")
    message = made_bootstrap(sink=sink, overrides={"stats_sinks": [{"name": "mine"}]})
    assert [one["name"] for one in message["stats_sinks"]] == ["envoy.stat_sinks.statsd", "mine"]


def test_watch_folder_watches_renames_in_the_folder() -> None:
    sources = [
        made_bootstrap(watch_folder=watch_folder)["dynamic_resources"]["lds_config"]["path_config_source"]
        for watch_folder in (False, True)
    ]
    assert sources == [
        {"path": "n-1/listeners.yaml"},
        {"path": "n-1/listeners.yaml", "watched_directory": {"path": "n-1"}},
    ]


def test_read_only_admin_forwards_only_gets() -> None:
    static = made_bootstrap()["static_resources"]
    manager = static["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    *forwarded, rest = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert all(
        route["match"]["headers"] == [{"name": ":method", "string_match": {"exact": "GET"}}]
        for route in forwarded
    )
    assert "/quitquitquit" not in [route["match"]["path"] for route in forwarded]
    assert rest["direct_response"]["status"] == 403


def test_candidate_has_all_resources_in_static_resources() -> None:
    fixed = made_bootstrap()
    http_listener = listener("in", listener_spec(port=1, filters=[]), "127.0.0.1", 1, "s")
    message = candidate(fixed, [http_listener], [cluster("c", [])])
    assert "dynamic_resources" in fixed
    assert "dynamic_resources" not in message
    static = message["static_resources"]
    assert [resource["name"] for resource in static["listeners"]] == ["admin", "in"]
    assert [resource["name"] for resource in static["clusters"]] == ["admin", "c"]
    assert not [resource for resource in [*static["listeners"], *static["clusters"]] if "@type" in resource]
    assert [resource["name"] for resource in fixed["static_resources"]["clusters"]] == ["admin"]
