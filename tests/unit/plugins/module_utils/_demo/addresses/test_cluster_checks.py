# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the checks of a cluster's target: exactly one, or a discovery type that needs none."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

CLUSTER = f"{EDGE}.clusters.far"
FORWARD_PROXY = {"cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy"}}
OWN_ENDPOINTS = {"load_assignment": {"endpoints": [{"lb_endpoints": []}]}}


@pytest.mark.parametrize(
    "cluster",
    [
        {"cluster": {"type": "ORIGINAL_DST"}},
        {"cluster": {"type": "EDS"}},
        {"cluster": FORWARD_PROXY},
        {"cluster": {"clusterType": {"name": "envoy.clusters.aggregate"}}},
        {"cluster": {"cluster_type": {"name": "custom"}}},
        {"cluster": OWN_ENDPOINTS},
        {"address": "db", "port": 1, "cluster": {"cluster_type": {"name": "custom"}}},
        {"address": "unix:///run/app.sock"},
        {"address": "unix:///run/app.sock", "tls": {"server_name": "app"}},
        {"cluster": FORWARD_PROXY, "tls": {}},
        {"cluster": OWN_ENDPOINTS, "tls": {"context": {"common_tls_context": {"validation_context": {}}}}},
    ],
)
def test_cluster_needs_no_further_target(cluster: dict[str, Any]) -> None:
    read_demo("shop", changed(CLUSTER, cluster))


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ({"cluster": {"type": "STATIC"}}, ": expected exactly one target."),
        (
            {"cluster": {"type": "STATIC", "load_assignment": {"policy": {}}}},
            ": expected exactly one target.",
        ),
        (
            {"address": "127.0.0.1", "port": 1, "cluster": {"type": "ORIGINAL_DST"}},
            ".address: a cluster with 'type: ORIGINAL_DST' has no endpoints of its own. Remove the key.",
        ),
        (
            {"to": "web", "cluster": FORWARD_PROXY},
            ".to: a cluster with 'cluster_type: envoy.clusters.dynamic_forward_proxy' has no endpoints of its own.",
        ),
        ({"address": "unix:///run/app.sock", "port": 1}, ".port: 'unix:///run/app.sock' is a Unix socket"),
        ({"cluster": OWN_ENDPOINTS, "port": 1}, ".port: the planner computes the ports of the endpoints."),
        ({"address": "unix:///run/app.sock", "tls": {}}, ".tls.server_name: missing."),
        ({"cluster": OWN_ENDPOINTS, "tls": {}}, ".tls.server_name: missing."),
        (
            {
                "cluster": OWN_ENDPOINTS,
                "tls": {"context": {"common_tls_context": {"alpn_protocols": ["h2"]}}},
            },
            ".tls.server_name: missing.",
        ),
    ],
)
def test_contradicting_target_is_refused(cluster: dict[str, Any], message: str) -> None:
    assert error_of(changed(CLUSTER, cluster)).startswith(f"shop.yml: {CLUSTER}{message}")
