# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the fields that replace what the collection needs."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

SOURCE = {"path_config_source": {"path": "x"}}
GRPC = {"google_grpc": {"target_uri": "a:1", "stat_prefix": "a"}}
LISTENER, CLUSTER = f"{EDGE}.listeners.http", f"{EDGE}.clusters.web"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("bootstrap", {"dynamic_resources": None}, ".dynamic_resources: the planner sets it: Envoy watches the files of"),
        ("bootstrap", {"dynamicResources": {"ldsConfig": SOURCE}}, ".dynamic_resources.lds_config: the planner sets it"),
        ("bootstrap", {"dynamic_resources": {"cds_config": None}}, ".dynamic_resources.cds_config: the planner sets it"),
        ("bootstrap", {"static_resources": None}, ".static_resources: the read-only admin interface needs its generated entry. Remove"),
        ("bootstrap", {"static_resources": {"listeners": None}}, ".static_resources.listeners: the read-only admin"),
        ("bootstrap", {"static_resources": {"clusters": None}}, ".static_resources.clusters: the read-only admin"),
        ("bootstrap", {"static_resources": {"listeners": [{"name": "admin"}]}}, ".static_resources.listeners[0].name: the name 'admin' is"),
        ("bootstrap", {"static_resources": {"clusters": [{"name": "statsd"}]}}, ".static_resources.clusters[0].name: the name 'statsd' is"),
        ("bootstrap", {"node": None}, ".node: Envoy reads watched files only with the id and the cluster of its node. Remove the key."),
        ("bootstrap", {"node": {"id": ""}}, ".node.id: Envoy reads watched files only with"),
        ("bootstrap", {"watchdog": {"kill_timeout": "0.1s"}}, ".watchdog.kill_timeout: Envoy ends itself when a thread pauses for 0.1s,"),
        ("bootstrap", {"watchdogs": {"workerWatchdog": {"multikillTimeout": "0.5s"}}}, ".watchdogs.worker_watchdog.multikill_timeout: Env"),
        ("bootstrap", {"admin": {"allow_paths": [{"exact": "/stats"}]}}, ".admin.allow_paths: the collection reads pages"),
        ("bootstrap", {"stats_config": {"stats_matcher": {"reject_all": True}}}, ".stats_config.stats_matcher: hides the stat cluster_man"),
        ("stats_config", {"stats_matcher": {"reject_all": True}}, ".stats_matcher: hides the stat cluster_manager.cds.update_success, by"),
    ],
)  # fmt: skip
def test_bootstrap_field_is_refused(path: str, value: Any, message: str) -> None:
    assert f"shop.yml: {EDGE}.{path}{message}" in error_of(changed(f"{EDGE}.{path}", value))


@pytest.mark.parametrize(
    "value",
    [
        {"node": {"id": "mine", "locality": {"zone": "a"}}},
        {"dynamic_resources": {"ads_config": {"api_type": "GRPC", "grpc_services": [GRPC]}}},
        {"static_resources": {"listeners": [{"name": "more"}], "clusters": {"name": "more"}}},
        {"watchdogs": {"main_thread_watchdog": {"kill_timeout": "1s", "miss_timeout": "0.001s"}}},
        {"admin": {"ignore_global_conn_limit": True}},
        {"stats_config": {"stats_matcher": {"exclusion_list": {"patterns": [{"prefix": "http."}]}}}},
    ],
)  # fmt: skip
def test_other_bootstrap_fields_are_accepted(value: Any) -> None:
    read_demo("shop", changed(f"{EDGE}.bootstrap", value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": None}, ".name: a listener without a name cannot be changed live. Remove the key: the name is 'http'."),
        ({"name": ""}, ".name: a listener without a name"),
        ({"name": "admin"}, ".name: the name 'admin' is reserved. Choose another name."),
        ({"name": "other"}, ".name: the name 'other' is used twice"),
        ({"api_listener": {"api_listener": {}}}, ".api_listener: Envoy accepts an API listener in its bootstrap only."),
        ({"address": {"socketAddress": {"portValue": 1}}}, ".address.socket_address.portValue: the planner sets the port."),
    ],
)  # fmt: skip
def test_listener_field_is_refused(value: Any, message: str) -> None:
    data = changed(f"{LISTENER}.listener", value)
    if value.get("name") == "other":
        data["proxies"]["edge"]["listeners"]["other"] = {"port": 8081, "routes": []}
        message = "shop.yml: proxies.edge.listeners.other: the listener 'http' has the same name. Choose another name."
        assert error_of(data) == message
        return
    assert error_of(data).startswith(f"shop.yml: {LISTENER}.listener{message}")


def test_published_listener_without_socket_is_refused() -> None:
    data = changed(f"{LISTENER}.listener", {"bind_to_port": False})
    read_demo("shop", data)
    data["proxies"]["edge"]["listeners"]["http"]["publish"] = 18080
    assert "bind_to_port: nothing would listen on the published port 18080." in error_of(data)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"name": None},
            ".name: a cluster without a name cannot be changed live. Remove the key: the name is 'web'.",
        ),
        ({"name": "statsd"}, ".name: the name 'statsd' is reserved. Choose another name."),
        ({"load_assignment": None}, f".load_assignment: removes the endpoints that '{CLUSTER}.to' states"),
        ({"loadAssignment": {"endpoints": []}}, ".load_assignment: removes the endpoints"),
    ],
)
def test_cluster_field_is_refused(value: Any, message: str) -> None:
    assert error_of(changed(f"{CLUSTER}.cluster", value)).startswith(f"shop.yml: {CLUSTER}.cluster{message}")


@pytest.mark.parametrize("filters", [None, []])
def test_connection_manager_without_router_is_refused(filters: Any) -> None:
    data = changed(f"{LISTENER}.http_connection_manager", {"httpFilters": filters})
    assert error_of(data).startswith(
        f"shop.yml: {LISTENER}.http_connection_manager.http_filters: removes the router, so no request would get a response."
    )


def test_quic_listener_is_accepted() -> None:
    value = {"address": {"socket_address": {"protocol": "UDP"}}, "udp_listener_config": {"quic_options": {}}}
    read_demo("shop", changed(f"{LISTENER}.listener", value))
