# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config dumps and clusters as Envoy writes them, in the form that the modules return."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._admin import clusters_info, config_dump
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

TYPE = "type.googleapis.com/envoy.admin.v3"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "/config_dump"),
        ({"include_eds": True}, "/config_dump?include_eds"),
        (
            {"resource": "static_clusters", "mask": ["cluster.name", "last_updated"], "name_regex": "a|b &"},
            "/config_dump?resource=static_clusters&mask=cluster.name%2Clast_updated&name_regex=a%7Cb%20%26",
        ),
        ({"name_regex": "x", "include_eds": True}, "/config_dump?name_regex=x&include_eds"),
    ],
)
def test_what_is_asked(given: dict[str, Any], path: str) -> None:
    assert config_dump.path_for(given) == path


def test_the_bootstrap_is_no_list() -> None:
    with pytest.raises(ArgumentError, match="give mask"):
        config_dump.path_for({"resource": "bootstrap"})


def test_a_whole_dump() -> None:
    listener = {"listener": {"name": "main"}, "version_info": "2", "last_updated": "t"}
    data = {
        "configs": [
            {"@type": f"{TYPE}.BootstrapConfigDump", "bootstrap": {"node": {"id": "a", "extensions": [1]}}},
            {
                "@type": f"{TYPE}.ListenersConfigDump",
                "version_info": "2",
                "static_listeners": [{"listener": {"name": "fixed"}, "last_updated": "s"}],
                "dynamic_listeners": [
                    {
                        "name": "main",
                        "active_state": listener,
                        "draining_state": {"listener": {"name": "main"}, "version_info": "1"},
                        "error_state": {"details": "no such filter, password=hunter2"},
                    }
                ],
            },
            {
                "@type": f"{TYPE}.ClustersConfigDump",
                "dynamic_active_clusters": [{"cluster": {"name": "web"}, "version_info": "7"}],
                "dynamic_warming_clusters": [{"cluster": {"name": "new"}}],
            },
            {
                "@type": f"{TYPE}.EndpointsConfigDump",
                "dynamic_endpoint_configs": [{"endpoint_config": {"cluster_name": "web"}}],
            },
            {"@type": f"{TYPE}.RoutesConfigDump"},
            {"@type": "something.New", "a": 1},
        ]
    }
    dump = config_dump.read_dump(data)
    assert dump["bootstrap"] == {"node": {"id": "a"}}
    assert [(one["name"], one["state"], one["version_info"]) for one in dump["listeners"]] == [
        ("fixed", "static", ""),
        ("main", "active", "2"),
        ("main", "draining", "1"),
    ]
    assert dump["listeners"][1]["error"] == "no such filter, password=(redacted)"
    assert dump["redacted"] == 1
    assert [(one["name"], one["state"]) for one in dump["clusters"]] == [
        ("web", "active"),
        ("new", "warming"),
    ]
    assert dump["endpoints"][0]["name"] == "web"
    assert dump["routes"] == []
    assert dump["other"] == [{"@type": "something.New", "a": 1}]


def test_a_part_of_a_dump() -> None:
    entry = {"@type": f"{TYPE}.ClustersConfigDump.StaticCluster", "cluster": {"name": "web"}}
    [cluster] = config_dump.read_dump({"configs": [entry]}, "static_clusters")["clusters"]
    assert (cluster["name"], cluster["state"], cluster["config"]) == ("web", "static", {"name": "web"})
    assert config_dump.read_dump({}, "dynamic_listeners")["listeners"] == []


@pytest.mark.parametrize(
    "data",
    [[], "x", 1, None, {"configs": 1}, {"configs": ["hunter2"]},
     {"configs": [{"@type": f"{TYPE}.ClustersConfigDump", "static_clusters": ["hunter2"]}]}],
)  # fmt: skip
def test_what_is_no_dump_is_not_shown(data: Any) -> None:
    with pytest.raises(ScrapeError, match="cannot be read") as caught:
        config_dump.read_dump(data)
    assert "hunter2" not in caught.value.message


def test_clusters_that_are_asked_for() -> None:
    assert clusters_info.path_for(()) == "/clusters?format=json"
    assert clusters_info.path_for(["a.b", "c"]) == "/clusters?format=json&filter=%5E%28%3F%3Aa%5C.b%7Cc%29%24"
    assert clusters_info.path_for(["a\nb"]) == "/clusters?format=json"
    assert clusters_info.path_for(["x" * 9_000]) == "/clusters?format=json"


def test_hosts() -> None:
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
    found = clusters_info.read_clusters(data, ["web", "gone"])
    assert list(found) == ["web"]
    assert (found["web"]["ejected"], found["web"]["healthy"], found["web"]["weight"]) == (1, 0, 3)
    assert found["web"]["hosts"] == [
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
    assert clusters_info.read_clusters({}) == {}
    with pytest.raises(ScrapeError, match="cannot be read"):
        clusters_info.read_clusters({"cluster_statuses": [{}]})


def test_a_refused_listener_is_one_however_often_envoy_says_it() -> None:
    failed = {"failed_configuration": {"name": "bad"}, "details": "no such filter"}
    other = {"failed_configuration": {"name": "twice"}, "details": "duplicate listener twice found"}
    entries = [{"name": "bad", "error_state": failed}, {"error_state": failed}, {"error_state": other}]
    dump = config_dump.read_dump(
        {"configs": [{"@type": f"{TYPE}.ListenersConfigDump", "dynamic_listeners": entries}]}
    )
    assert [(one["name"], one["error"]) for one in dump["listeners"]] == [
        ("bad", "no such filter"),
        ("twice", "duplicate listener twice found"),
    ]
