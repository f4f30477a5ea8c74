# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""envoy_config_dump_info and envoy_clusters_info on the oldest and the newest Envoy, with secrets in many fields."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from real_envoy import TYPES, Envoy, answering, run

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST
from ansible_collections.meshlab.envoy.plugins.modules import envoy_clusters_info, envoy_config_dump_info

S = "hunter2-Zx9Qw"
PEM = f"-----BEGIN PRIVATE KEY-----\n{S}\n-----END PRIVATE KEY-----"
HEADERS = [
    {"header": {"key": "authorization", "value": f"Bearer {S}"}},
    {"header": {"key": "x-served-by", "value": "edge"}},
]


def host(port: int, **more: Any) -> dict[str, Any]:
    return {
        "endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}},
        **more,
    }


def cluster(name: str, endpoints: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        **more,
    }


def config() -> dict[str, Any]:
    body = {"direct_response": {"status": 200, "body": {"inline_string": f"here it is: {PEM}"}}}
    metadata = {
        "filter_metadata": {
            "ours": {"api_key": S, "url": f"http://user:{S}@db/?token={S}", "list": [{"password": S}]}
        }
    }
    secrets = [
        {"name": "generic", "generic_secret": {"secret": {"inline_string": S}}},
        {"name": "tickets", "session_ticket_keys": {"keys": [{"inline_string": S.ljust(80, "x")}]}},
    ]
    endpoints = [
        {"locality": {"region": "r", "zone": "z"}, "lb_endpoints": [host(1, load_balancing_weight=3)]},
        {"priority": 1, "lb_endpoints": [host(2, health_status="DRAINING")]},
    ]
    lua = {
        "@type": f"{TYPES}.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": f"local key = '{S}'\nfunction envoy_on_request(handle) end"},
    }
    listener = answering(body, request_headers_to_add=HEADERS)
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"].insert(0, {"name": "envoy.filters.http.lua", "typed_config": lua})
    return {
        "node": {"id": "tested", "cluster": "tests", "metadata": {"deploy_token": S, "team": "web"}},
        "static_resources": {
            "secrets": secrets,
            "listeners": [listener, answering({"route": {"cluster": "self"}}, name="front")],
            "clusters": [cluster("web", endpoints, metadata=metadata), cluster("other", [])],
        },
        "dynamic_resources": {"cds_config": {"path_config_source": {"path": "./cds.json"}}},
    }


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def envoy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    folder = tmp_path_factory.mktemp("envoy")
    started = Envoy(folder, config(), request.param)
    kind = {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster"}
    # No process listens there, so requests fail.
    live = {**kind, **cluster("self", [{"lb_endpoints": [host(1)]}])}
    (folder / "cds.json").write_text(json.dumps({"version_info": "v7", "resources": [live]}))
    yield started.start()
    started.stop()


def dump(envoy: Envoy, **arguments: Any) -> dict[str, Any]:
    result = run(envoy_config_dump_info, url=envoy.url, **arguments)
    assert result["changed"] is False
    assert S not in json.dumps(result)
    found: dict[str, Any] = result["dumps"]["envoy"]
    return found


def test_whole_dump_has_no_secret(envoy: Envoy) -> None:
    assert S.encode() in envoy.response("/config_dump")  # Envoy does not redact these
    read = dump(envoy, include_eds=True)
    assert read["redacted"] >= 9
    assert {one["name"] for one in read["secrets"]} == {"generic", "tickets"}
    assert read["bootstrap"]["node"]["metadata"] == {"deploy_token": "(redacted)", "team": "web"}
    assert "extensions" not in read["bootstrap"]["node"]
    [web] = [one for one in read["clusters"] if one["name"] == "web"]
    ours = web["config"]["metadata"]["filter_metadata"]["ours"]
    assert ours == {
        "api_key": "(redacted)",
        "url": "http://(redacted)@db/?token=(redacted)",
        "list": [{"password": "(redacted)"}],
    }
    text = json.dumps(read["listeners"])
    assert "x-served-by" in text
    assert '"edge"' in text
    assert read["other"] == []


def test_resources_have_state_and_version(envoy: Envoy) -> None:
    read = dump(envoy)
    states = {one["name"]: (one["state"], one["version_info"], one["error"]) for one in read["clusters"]}
    assert states == {"web": ("static", "", ""), "other": ("static", "", ""), "self": ("active", "v7", "")}
    assert read["endpoints"] == []
    assert {one["name"] for one in read["listeners"]} == {"main", "front"}
    assert {one["name"] for one in read["routes"]} == {"main", "front"}
    assert all(one["last_updated"] for one in read["clusters"] + read["routes"])


def test_part_of_a_dump_is_read(envoy: Envoy) -> None:
    read = dump(envoy, resource="static_clusters", mask=["cluster.name"], name_regex="we.")
    assert [(one["name"], one["state"]) for one in read["clusters"]] == [("web", "static")]
    assert set(read["clusters"][0]["config"]) == {"@type", "name"}
    assert read["bootstrap"] == {}
    [live] = dump(envoy, resource="dynamic_active_clusters")["clusters"]
    assert (live["name"], live["state"], live["version_info"]) == ("self", "active", "v7")
    assert dump(envoy, mask=["bootstrap.node.id"])["bootstrap"] == {"node": {"id": "tested"}}
    assert dump(envoy, include_eds=True, name_regex="web")["endpoints"][0]["name"] == "web"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"resource": "nosuch"}, "nosuch not found in config dump"),
        ({"mask": ["nosuch"]}, "nosuch"),
        ({"name_regex": "("}, "missing )"),
    ],
)
def test_message_has_envoys_reason(envoy: Envoy, arguments: dict[str, Any], text: str) -> None:
    result = run(envoy_config_dump_info, url=envoy.url, **arguments)
    assert (result["failed"], result["failure"]) == (True, "http_status")
    assert text in result["msg"]
    assert S not in json.dumps(result)


def test_clusters_and_hosts_are_read(envoy: Envoy) -> None:
    for _number in range(3):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"http://127.0.0.1:{envoy.port('front')}/", timeout=10)
    result = run(envoy_clusters_info, url=envoy.url)
    assert result["changed"] is False
    found = result["clusters"]["envoy"]
    assert set(found) == {"web", "other", "self"}
    assert (found["self"]["added_via_api"], found["web"]["added_via_api"]) == (True, False)
    [live] = found["self"]["hosts"]
    assert live["stats"]["cx_connect_fail"] >= 3
    assert live["stats"]["rq_success"] == 0
    first, second = found["web"]["hosts"]
    assert (first["address"], first["weight"], first["priority"]) == ("127.0.0.1:1", 3, 0)
    assert first["locality"] == {"region": "r", "zone": "z", "sub_zone": ""}
    assert (first["healthy"], first["flags"], first["eds_health"]) == (True, [], "HEALTHY")
    assert (second["priority"], second["healthy"], second["eds_health"]) == (1, False, "DRAINING")
    assert {key: found["web"][key] for key in ("healthy", "draining", "ejected", "weight")} == {
        "healthy": 1,
        "draining": 1,
        "ejected": 0,
        "weight": 4,
    }
    some = run(envoy_clusters_info, url=envoy.url, clusters=["other", "nosuch"])
    assert some["clusters"] == {"envoy": {"other": found["other"]}}


def test_missing_endpoint_fails_with_strict(envoy: Envoy) -> None:
    endpoints = [{"name": "gone", "url": "unix:///missing/admin.sock"}, {"name": "there", "url": envoy.url}]
    for module, key in ((envoy_clusters_info, "clusters"), (envoy_config_dump_info, "dumps")):
        strict = run(module, endpoints=endpoints)
        assert (strict["failed"], strict["failure"]) == (True, "unreachable")
        assert strict["msg"].startswith("gone: unix:///missing/admin.sock: the socket does not exist")
        lenient = run(module, endpoints=endpoints, strict=False)
        assert not lenient.get("failed")
        assert list(lenient[key]) == ["there"]
        assert [one["ok"] for one in lenient["endpoints"]] == [False, True]
