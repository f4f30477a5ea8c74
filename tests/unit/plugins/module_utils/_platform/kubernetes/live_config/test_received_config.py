# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the configuration that a proxy of a mesh must have received."""

from __future__ import annotations

import json
from typing import Any

from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.received_config import (
    received_configs,
)

CLUSTER = "outbound|8080||shop-web-pods.demo.svc.cluster.local"
ADMINS: list[dict[str, Any]] = [
    {"proxy": "sidecar", "pods": {"selector": "app=web", "container": "istio-proxy", "port": 15000}},
    {
        "proxy": "edge",
        "pods": {"selector": "app=edge", "container": "istio-proxy", "port": 15000},
        "received": {
            "routes": ["new-0", "new-1"],
            "listeners": 2,
            "members": {"outbound|8080||shop-web-pods.": {"selector": "app=web", "hosts": 1}},
        },
    },
]


class Admin(ConfigAdmin):
    """Responds with route configurations, each a list of names, and with the hosts of one cluster."""

    def __init__(self, routes: list[list[str]], hosts: list[str]) -> None:
        super().__init__("http://127.0.0.1:15000")
        self.routes, self.hosts = routes, hosts

    def get(self, path: str, timeout: float) -> str:
        if path.startswith("/config_dump"):
            hosts = [[{"routes": [{"name": one} for one in names]}] for names in self.routes]
            return json.dumps({"configs": [{"route_config": {"virtual_hosts": one}} for one in hosts]})
        statuses = [{"address": {"socket_address": {"address": one}}} for one in self.hosts]
        return json.dumps({"cluster_statuses": [{"name": CLUSTER, "host_statuses": statuses}]})


def missing(routes: list[list[str]], hosts: list[str]) -> str:
    status = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    metadata = {"name": "web-1", "labels": {"app": "web"}}
    cluster: Any = FakeCluster({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})
    (config,) = received_configs(ADMINS).values()
    return config.missing(cluster, XdsMonitor(Admin(routes, hosts)))


NEW = ["new-0", "new-1"]


def test_nothing_is_missing_with_all_routes_and_hosts() -> None:
    assert missing([NEW, ["other"], NEW], ["10.0.0.1"]) == ""


def test_previous_routes_are_not_enough() -> None:
    assert missing([NEW, ["old-0", "old-1"]], ["10.0.0.1"]) == "1 of 2 listeners have the planned routes"
    assert missing([["new-0"], NEW], ["10.0.0.1"]) == "1 of 2 listeners have the planned routes"


def test_hosts_have_to_be_the_ready_pods() -> None:
    problem = "cluster outbound|8080||shop-web-pods. has 0 of 1 hosts"
    assert missing([NEW, NEW], []) == problem
    assert missing([NEW, NEW], ["10.0.0.9"]) == f"{problem}, and 1 previous ones"


def test_sidecar_without_expected_configuration_is_left_out() -> None:
    assert list(received_configs(ADMINS)) == ["edge"]
