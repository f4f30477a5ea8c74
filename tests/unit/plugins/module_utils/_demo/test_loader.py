# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Tests of the loader: keys, names, defaults, sidecars, changes and replicas."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from demo_data import EDGE, SHOP, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import merge
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.misplaced_keys import (
    missing_remedy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import DEMO


def test_read_demo_returns_every_key_of_the_schema() -> None:
    demo = read_demo("shop", SHOP, file="shop.yml")
    assert (demo["name"], demo["file"]) == ("shop", "shop.yml")
    assert set(demo) == {*DEMO.options, "name", "file"}


@pytest.mark.parametrize(
    ("path", "key", "meant"),
    [
        ("", "sumary", "summary"),
        ("", "service", "services"),
        ("services.web", "replica", "replicas"),
        ("services.web.app", "versions", "version"),
        ("services.db.server", "comand", "command"),
        ("services.web.sidecar", "listener", "listeners"),
        ("services.web.sidecar.listeners.ingress", "prot", "port"),
        (EDGE, "cluster", "clusters"),
        (f"{EDGE}.admin", "publsh", "publish"),
        (f"{EDGE}.statsd", "adress", "address"),
        (f"{EDGE}.listeners.http", "filter", "filters"),
        (f"{EDGE}.listeners.http.tls", "client_cert", "client_certificate"),
        (f"{EDGE}.clusters.web", "tsl", "tls"),
        (f"{EDGE}.clusters.web.tls", "servername", "server_name"),
        ("statsd_exporter", "mappings", "mapping"),
        ("changes.bigger", "sets", "set"),
    ],
)
def test_misspelt_key_gets_a_suggestion_at_every_depth(path: str, key: str, meant: str) -> None:
    where = f"shop.yml: {path}: " if path else "shop.yml: "
    assert error_of(changed(f"{path}.{key}".lstrip("."), {})) == (
        f"{where}unknown key '{key}'. Did you mean '{meant}'?"
    )


def test_unknown_key_without_similar_key_lists_known_keys() -> None:
    assert error_of(changed("services.web.app.zzz", 1)) == (
        "shop.yml: services.web.app: unknown key 'zzz'. Use one of: calls, environment, service, version."
    )


@pytest.mark.parametrize(
    "path",
    [
        "summary",
        "services.db.server.image",
        "services.db.server.command",
        f"{EDGE}.statsd.address",
        "changes.bigger.summary",
    ],
)
def test_missing_required_key_is_refused(path: str) -> None:
    remedy = missing_remedy(path.rpartition(".")[2])
    assert remedy != "Add the key."
    assert error_of(changed(path, None)) == f"shop.yml: {path}: missing. {remedy}"
    data = copy.deepcopy(SHOP)
    mapping: Any = data
    for key in path.split(".")[:-1]:
        mapping = mapping[key]
    del mapping[path.rsplit(".", maxsplit=1)[-1]]
    assert error_of(data) == f"shop.yml: {path}: missing. {remedy}"


@pytest.mark.parametrize("data", [None, [], "front_proxy", 5])
def test_file_that_is_no_mapping_is_refused(data: Any) -> None:
    assert (
        error_of(data)
        == "shop.yml: expected a mapping. A demo starts with 'summary:', 'ports:' and 'services:'."
    )


@pytest.mark.parametrize("name", ["", "Shop", "a b", "a/b", "..", "-a", "a-", "a\n", "x" * 43])
def test_invalid_name_of_a_demo_is_refused(name: str) -> None:
    with pytest.raises(
        DemoError, match=r"(?s)^shop\.yml: invalid name .* of a demo\. Use at most 42 lower case letters"
    ):
        read_demo(name, SHOP, file="shop.yml")


@pytest.mark.parametrize("name", ["a", "front_proxy", "a-b", "1", "x" * 42])
def test_valid_name_is_the_default_file_in_errors(name: str) -> None:
    assert read_demo(name, SHOP)["name"] == name
    assert read_demo(name, SHOP)["file"] == name


def test_empty_text_in_place_of_a_mapping_is_null() -> None:
    assert read_demo("shop", changed(f"{EDGE}.statsd", ""))["proxies"]["edge"]["statsd"] is None


def test_null_mapping_has_all_defaults_if_none_is_required() -> None:
    demo = read_demo("shop", changed("services.web.sidecar", None))
    assert list(demo["services"]["web"]["sidecar"]["listeners"]) == ["ingress"]
    assert read_demo("shop", changed(f"{EDGE}.statsd", None))["proxies"]["edge"]["statsd"] is None
    assert read_demo("shop", changed("services.other", None))["services"]["other"]["port"] == 8080


def test_defaults_are_not_shared_between_demos() -> None:
    first = read_demo("shop", SHOP)
    first["services"]["web"]["sidecar"]["clusters"]["x"] = 1
    first["proxies"]["edge"]["bootstrap"]["x"] = 1
    first["proxies"]["edge"]["listeners"]["http"]["http_filters"].append(1)
    second = read_demo("shop", SHOP)
    assert second["services"]["web"]["sidecar"]["clusters"] == {}
    assert second["proxies"]["edge"]["bootstrap"] == {}
    assert second["proxies"]["edge"]["listeners"]["http"]["http_filters"] == []


def test_read_demo_does_not_modify_its_input() -> None:
    before = changed("proxies.edge.bootstrap", {"node": {"id": "x"}})
    data = copy.deepcopy(before)
    demo = read_demo("shop", data, replicas={"db": 2})
    demo["proxies"]["edge"]["listeners"]["http"]["routes"][0]["match"] = None
    demo["proxies"]["edge"]["bootstrap"]["node"]["id"] = "y"
    read_demo("shop", data, change="bigger")
    assert data == before


# Sidecars


def test_empty_sidecar_forwards_http_to_its_service() -> None:
    demo = read_demo("shop", changed("services.web.sidecar", {}))
    ingress = demo["services"]["web"]["sidecar"]["listeners"]["ingress"]
    assert ingress["port"] == 10000
    assert ingress["routes"] == [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
    assert ingress["filters"] is None


def test_empty_sidecar_of_a_tcp_service_forwards_tcp() -> None:
    demo = read_demo("shop", changed("services.db.sidecar", {}))
    ingress = demo["services"]["db"]["sidecar"]["listeners"]["ingress"]
    assert ingress["routes"] is None
    assert ingress["filters"][0]["typed_config"]["cluster"] == "db"


def test_sidecar_listener_with_routes_is_unchanged() -> None:
    routes = [{"match": {"prefix": "/x"}, "route": {"cluster": "web"}}]
    demo = read_demo("shop", changed("services.web.sidecar.listeners.ingress.routes", routes))
    assert demo["services"]["web"]["sidecar"]["listeners"]["ingress"]["routes"] == routes


# Changes and replicas


def test_change_is_merged_over_the_topology() -> None:
    demo = read_demo("shop", SHOP, change="bigger")
    assert demo["services"]["web"]["replicas"] == 3
    assert demo["services"]["web"]["sidecar"]["listeners"]["ingress"]["port"] == 9000
    assert read_demo("shop", SHOP)["services"]["web"]["replicas"] == 1


def test_null_in_a_change_removes_the_key() -> None:
    data = changed("changes.bigger.set", {"services": {"web": {"sidecar": None}}, "statsd_exporter": None})
    demo = read_demo("shop", data, change="bigger")
    assert demo["services"]["web"]["sidecar"] is None
    assert demo["statsd_exporter"] is None


def test_change_replaces_traffic_and_expectations() -> None:
    data = changed("traffic", [{"to": "web"}])
    assert read_demo("shop", data, change="bigger")["traffic"] == [{"to": "web"}]
    data["changes"]["bigger"] |= {"traffic": [{"to": "edge"}], "expectations": []}
    assert read_demo("shop", data, change="bigger")["traffic"] == [{"to": "edge"}]
    assert read_demo("shop", data)["traffic"] == [{"to": "web"}]


def test_unknown_change_is_refused() -> None:
    assert (
        error_of(SHOP, change="biger") == "shop.yml: changes: unknown change 'biger'. Did you mean 'bigger'?"
    )
    assert error_of({"summary": "s", "ports": 2000}, change="x") == (
        "shop.yml: changes: unknown change 'x'. Use one of: none."
    )


def test_change_of_another_key_is_refused() -> None:
    assert error_of(changed("changes.bigger.set.ports", 3000)) == (
        "shop.yml: changes.bigger.set: unknown key 'ports'. Use one of: envoy, proxies, services, statsd_exporter."
    )


@pytest.mark.parametrize("change", ["", "bigger"])
def test_error_in_a_change_is_reported_without_that_change(change: str) -> None:
    data = changed("changes.bigger.set.services.web.replicaz", 3)
    assert error_of(data, change=change) == (
        "shop.yml with change 'bigger': services.web: unknown key 'replicaz'. Did you mean 'replicas'?"
    )


def test_replicas_of_the_context_override_file_and_change() -> None:
    assert read_demo("shop", SHOP, replicas={"web": 2})["services"]["web"]["replicas"] == 2
    assert read_demo("shop", SHOP, change="bigger", replicas={"web": "2"})["services"]["web"]["replicas"] == 2


@pytest.mark.parametrize(
    ("replicas", "message"),
    [
        ({"wbe": 2}, "replicas: unknown service 'wbe'. Did you mean 'web'?"),
        ({"edge": 2}, "replicas: unknown service 'edge'. Use one of: db, web."),
        ({"web": 99}, "replicas.web: expected a number from 0 to 10, got 99."),
        ({"web": "two"}, "replicas.web: expected a whole number, got 'two'. Write digits only."),
        (
            {"web": 0},
            "statsd_exporter.shares_network_with: service 'web' has no replicas. Give it at least one, or remove 'shares_network_with'.",
        ),
    ],
)  # fmt: skip
def test_invalid_replicas_are_refused(replicas: dict[str, Any], message: str) -> None:
    assert error_of(SHOP, replicas=replicas) == f"shop.yml: {message}"


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": None}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": None}, {}, {"a": None}),
    ],
)
def test_merge(base: Any, over: Any, merged: Any) -> None:
    assert merge(base, over) == merged


def test_merge_copies_its_arguments(shared: Callable[[Any, Any], bool]) -> None:
    base, over = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    assert not shared(merge(base, over), base)
    assert not shared(merge(base, over), over)


@pytest.fixture
def shared() -> Callable[[Any, Any], bool]:
    """Return a function that returns whether two values share a container."""

    def containers(value: Any) -> set[int]:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        own = {id(value)} if isinstance(value, (dict, list)) else set()
        return own.union(*(containers(one) for one in inside))

    return lambda one, other: bool(containers(one) & containers(other))
