# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config dumps in the form that the module returns."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.config_dump import path_for, read_dump
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

TYPE = "type.googleapis.com/envoy.admin.v3"


@pytest.mark.parametrize(
    ("params", "path"),
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
def test_path_of_a_request(params: dict[str, Any], path: str) -> None:
    assert path_for(params) == path


def test_bootstrap_as_a_resource_is_refused() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"resource: the bootstrap is not a list of resources. Use mask: \[bootstrap\] instead.",
    ):
        path_for({"resource": "bootstrap"})


def test_whole_dump_is_sorted_by_kind() -> None:
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
    dump = read_dump(data)
    assert dump["bootstrap"] == {"node": {"id": "a"}}
    assert [
        (resource["name"], resource["state"], resource["version_info"]) for resource in dump["listeners"]
    ] == [
        ("fixed", "static", ""),
        ("main", "active", "2"),
        ("main", "draining", "1"),
    ]
    assert dump["listeners"][1]["error"] == "no such filter, password=(redacted)"
    assert dump["redacted"] == 1
    assert [(resource["name"], resource["state"]) for resource in dump["clusters"]] == [
        ("web", "active"),
        ("new", "warming"),
    ]
    assert dump["endpoints"][0]["name"] == "web"
    assert dump["routes"] == []
    assert dump["other"] == [{"@type": "something.New", "a": 1}]


def test_part_of_a_dump_is_sorted_by_kind() -> None:
    entry = {"@type": f"{TYPE}.ClustersConfigDump.StaticCluster", "cluster": {"name": "web"}}
    [cluster] = read_dump({"configs": [entry]}, "static_clusters")["clusters"]
    assert (cluster["name"], cluster["state"], cluster["config"]) == ("web", "static", {"name": "web"})
    assert read_dump({}, "dynamic_listeners")["listeners"] == []


@pytest.mark.parametrize(
    "data",
    [[], "x", 1, None, {"configs": 1}, {"configs": ["hunter2"]},
     {"configs": [{"@type": f"{TYPE}.ClustersConfigDump", "static_clusters": ["hunter2"]}]}],
)  # fmt: skip
def test_other_data_is_refused_and_not_shown(data: Any) -> None:
    with pytest.raises(ScrapeError, match="cannot be parsed") as caught:
        read_dump(data)
    assert "hunter2" not in caught.value.message


def test_rejected_listener_that_occurs_twice_is_listed_once() -> None:
    failed = {"failed_configuration": {"name": "bad"}, "details": "no such filter"}
    other = {"failed_configuration": {"name": "twice"}, "details": "duplicate listener twice found"}
    entries = [{"name": "bad", "error_state": failed}, {"error_state": failed}, {"error_state": other}]
    dump = read_dump({"configs": [{"@type": f"{TYPE}.ListenersConfigDump", "dynamic_listeners": entries}]})
    assert [(resource["name"], resource["error"]) for resource in dump["listeners"]] == [
        ("bad", "no such filter"),
        ("twice", "duplicate listener twice found"),
    ]
