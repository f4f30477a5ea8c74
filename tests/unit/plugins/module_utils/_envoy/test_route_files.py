# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the route configurations in files of their own. tests/integration/test_live_routes.py changes them with a real Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import any_message
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import (
    http_connection_manager,
    tcp_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import HTTP_CONNECTION_MANAGER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.route_files import (
    ROUTE_CONFIGURATION,
    with_route_files,
)

HOSTS = [{"name": "all", "domains": ["*"], "routes": []}]


def listener(name: str, *chains: Any, **fields: Any) -> dict[str, Any]:
    return {"name": name, "filter_chains": [*chains], **fields}


def chain(*filters: Any, **fields: Any) -> dict[str, Any]:
    return {"filters": [*filters], **fields}


def managers(listeners: list[Any]) -> list[dict[str, Any]]:
    chains = [
        one for item in listeners for one in [*item["filter_chains"], item.get("default_filter_chain")] if one
    ]
    return [one["filters"][-1]["typed_config"] for one in chains]


@pytest.mark.parametrize(
    ("watched", "source"),
    [
        (None, {"path": "edge/routes/http.yaml"}),
        ("edge", {"path": "edge/routes/http.yaml", "watched_directory": {"path": "edge"}}),
    ],
)
def test_routes_of_a_listener_are_one_file(watched: str | None, source: dict[str, Any]) -> None:
    manager = http_connection_manager("http", HOSTS)
    found = with_route_files([listener("http", chain(manager))], "edge/routes", watched)
    assert found.routes == {"http.yaml": any_message(ROUTE_CONFIGURATION, name="http", virtual_hosts=HOSTS)}
    [changed] = managers(found.listeners)
    assert changed["rds"] == {
        "route_config_name": "http",
        "config_source": {"resource_api_version": "V3", "path_config_source": source},
    }
    # Everything else stays, in its order, and the input too.
    assert ["rds" if key == "route_config" else key for key in manager["typed_config"]] == list(changed)
    assert "route_config" in manager["typed_config"]


def test_each_filter_chain_has_a_file_of_its_own() -> None:
    def of(prefix: str) -> dict[str, Any]:
        return http_connection_manager(prefix, HOSTS)

    listeners = [
        listener(
            "a", chain(of("x"), name="x"), chain(of("y"), name="y"), default_filter_chain=chain(of("z"))
        ),
        listener("a/b", chain(of("x"), name="a/b")),
        listener("a_b", chain(of("x"))),
    ]
    found = with_route_files(listeners, "edge/routes")
    assert [*found.routes] == ["a-x.yaml", "a-y.yaml", "a.yaml", "a_b.yaml", "a_b-2.yaml"]
    paths = [one["rds"]["config_source"]["path_config_source"]["path"] for one in managers(found.listeners)]
    assert paths == [f"edge/routes/{name}" for name in found.routes]


@pytest.mark.parametrize("field", ["route_config", "routeConfig"])
def test_routes_of_an_authors_filter_are_moved(field: str) -> None:
    own = any_message(
        HTTP_CONNECTION_MANAGER, stat_prefix="own", **{field: {"virtual_hosts": HOSTS, "vhds": {}}}
    )
    found = with_route_files([listener("http", chain({"name": "hcm", "typed_config": own}))], "edge/routes")
    # A route configuration without a name gets that of its file, because RDS requires one.
    resource = any_message(ROUTE_CONFIGURATION, name="http", virtual_hosts=HOSTS, vhds={})
    assert found.routes == {"http.yaml": resource}
    assert field not in managers(found.listeners)[0]


@pytest.mark.parametrize(
    "network_filter",
    [
        tcp_proxy("tcp", "web"),
        {"name": "hcm", "typed_config": any_message(HTTP_CONNECTION_MANAGER, rds={"route_config_name": "r"})},
        {"name": "hcm", "typed_config": any_message(HTTP_CONNECTION_MANAGER, scoped_routes={})},
        {"name": "hcm"},
        {"name": "hcm", "typed_config": "text"},
        "text",
    ],
)
def test_filter_without_inline_routes_is_unchanged(network_filter: Any) -> None:
    listeners = [
        listener("tcp", chain(network_filter)),
        {"name": "udp"},
        {"name": "odd", "filter_chains": ["text"]},
    ]
    found = with_route_files(listeners, "edge/routes")
    assert (found.listeners, found.routes) == (listeners, {})
