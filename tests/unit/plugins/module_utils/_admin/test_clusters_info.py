# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters in the form that the module returns."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.clusters_info import (
    path_for,
    read_clusters,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError


def test_path_of_a_request() -> None:
    assert path_for(()) == "/clusters?format=json"
    assert path_for(["a.b", "c"]) == "/clusters?format=json&filter=%5E%28%3F%3Aa%5C.b%7Cc%29%24"
    assert path_for(["a\nb"]) == "/clusters?format=json"
    assert path_for(["x" * 9_000]) == "/clusters?format=json"


def test_hosts_of_the_named_clusters() -> None:
    host = {
        "address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}},
        "health_status": {
            "eds_health_status": "HEALTHY",
            "failed_outlier_check": True,
            "pending_dynamic_removal": True,
        },
        "weight": 3,
        "locality": {"zone": "z"},
        "success_rate": {"value": 98.5},
        "stats": [{"name": "rq_total", "value": "7"}, {"name": "rq_error"}],
        "hostname": "web",
    }
    data = {
        "cluster_statuses": [
            {"name": "web", "added_via_api": True, "host_statuses": [host]},
            {"name": "other"},
        ]
    }
    clusters = read_clusters(data, ["web", "gone"])
    assert list(clusters) == ["web"]
    assert (clusters["web"]["ejected"], clusters["web"]["healthy"], clusters["web"]["weight"]) == (1, 0, 3)
    assert clusters["web"]["hosts"] == [
        {
            "address": "10.0.0.1:80",
            "hostname": "web",
            "healthy": False,
            "eds_health": "HEALTHY",
            "flags": ["failed_outlier_check", "pending_dynamic_removal"],
            "weight": 3,
            "priority": 0,
            "locality": {"region": "", "zone": "z", "sub_zone": ""},
            "success_rate": 98.5,
            "stats": {"rq_total": 7, "rq_error": 0},
        }
    ]
    assert read_clusters({}) == {}
    with pytest.raises(ScrapeError, match="cannot be parsed"):
        read_clusters({"cluster_statuses": [{}]})
