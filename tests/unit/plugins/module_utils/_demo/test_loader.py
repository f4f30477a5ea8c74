# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every mistake of a demo file is told in one sentence: file and key, what, and what to do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import merge, read
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import DEMO

ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
SHOP: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {
        "web": {"app": {}, "sidecar": {"listeners": {"ingress": {"port": 9000}}}},
        "db": {"server": {"image": "db:1", "command": ["db"]}, "protocol": "tcp"},
    },
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "tls": {}, "routes": ROUTES}},
            "clusters": {"web": {"to": "web", "tls": {}}},
            "admin": {"publish": 9901},
            "statsd": {"address": "127.0.0.1"},
        }
    },
    "statsd_exporter": {"shares_network_with": "web"},
    "changes": {"bigger": {"summary": "More", "set": {"services": {"web": {"replicas": 3}}}}},
}
EDGE = "proxies.edge"


def put(path: str, value: Any) -> dict[str, Any]:
    """The shop with `value` at `path`."""
    data = copy.deepcopy(SHOP)
    *parents, last = path.split(".")
    place: Any = data
    for key in parents:
        place = place[key]
    place[last] = value
    return data


def told(data: Any, **options: Any) -> str:
    with pytest.raises(DemoError) as caught:
        read("shop", data, file="shop.yml", **options)
    return str(caught.value)


def test_the_shop_is_good() -> None:
    demo = read("shop", SHOP, file="shop.yml")
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
def test_a_misspelt_key_at_every_depth(path: str, key: str, meant: str) -> None:
    where = f"shop.yml: {path}: " if path else "shop.yml: "
    assert told(put(f"{path}.{key}".lstrip("."), {})) == (
        f"{where}there is no key '{key}'; did you mean '{meant}'?"
    )


def test_a_key_like_no_other_is_answered_with_what_there_is() -> None:
    assert told(put("services.web.app.zzz", 1)) == (
        "shop.yml: services.web.app: there is no key 'zzz'; there is: calls, environment, service, version"
    )


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("ports", "many", "ports: has to be a whole number, not 'many'"),
        ("ports", True, "ports: has to be a whole number, not true"),
        ("ports", 1.5, "ports: has to be a whole number, not '1.5'"),
        ("ports", 80, "ports: 80 is not between 1024 and 65436 (a port below 1024 needs root)"),
        ("ports", 65500, "ports: 65500 is not between 1024 and 65436"),
        ("summary", ["a"], "summary: has to be text, not '['a']'"),
        ("summary", True, "summary: has to be text, not true; put it in quotes"),
        ("notes", "one", "notes: has to be a list, not 'one'"),
        ("notes", ["a", {}], "notes[1]: has to be text, not '{}'"),
        ("services", ["web"], "services: has to be a mapping, not '['web']'"),
        ("services.web", "web", "services.web: has to be a mapping with keys such as 'app', 'server', 'port', not 'web'"),
        ("services.web.app", "yes", "services.web.app: has to be a mapping, not 'yes'"),
        ("services.web.port", 80, "services.web.port: 80 is not between 1024 and 65535 (a port below 1024 needs root)"),
        ("services.web.publish", 443, "services.web.publish: 443 is not between 1024 and 65535 (a port below 1024 needs root)"),
        ("services.web.replicas", 11, "services.web.replicas: 11 is not between 0 and 10"),
        ("services.web.replicas", -1, "services.web.replicas: -1 is not between 0 and 10"),
        ("services.web.protocol", "grpc", "services.web.protocol: there is no choice 'grpc'; there is: http, tcp, udp"),
        ("services.web.protocol", "htp", "services.web.protocol: there is no choice 'htp'; did you mean 'http'?"),
        ("services.Web", {}, "services.Web: a name has to be lower case letters, digits, '-' and '_'"),
        ("services.-web", {}, "services.-web: a name has to be"),
        ("services." + "x" * 43, {}, "at most 42 of them"),
        (f"{EDGE}.access_log", "maybe", f"{EDGE}.access_log: has to be true or false, not 'maybe'"),
        (f"{EDGE}.admin.publish", 90, f"{EDGE}.admin.publish: 90 is not between 1024 and 65535 (a port below 1024 needs root)"),
        (f"{EDGE}.listeners.http.port", 80, f"{EDGE}.listeners.http.port: 80 is not between 1024 and 65535"),
        (f"{EDGE}.listeners.http.publish", 70000, f"{EDGE}.listeners.http.publish: 70000 is not between"),
        (f"{EDGE}.listeners.http.routes", {}, f"{EDGE}.listeners.http.routes: has to be a list, not '{{}}'"),
        (f"{EDGE}.listeners.http.routes", ["x"], f"{EDGE}.listeners.http.routes[0]: has to be a mapping, not 'x'"),
        ("statsd_exporter.publish", 1023, "statsd_exporter.publish: 1023 is not between"),
    ],
)  # fmt: skip
def test_a_wrong_value(path: str, value: Any, sentence: str) -> None:
    assert told(put(path, value)).startswith("shop.yml: ")
    assert sentence in told(put(path, value))


@pytest.mark.parametrize(
    "path",
    [
        "summary",
        "ports",
        "services.db.server.image",
        "services.db.server.command",
        f"{EDGE}.listeners.http.port",
        f"{EDGE}.statsd.address",
        "changes.bigger.summary",
    ],
)
def test_a_missing_key(path: str) -> None:
    assert told(put(path, None)) == f"shop.yml: {path}: is missing"
    data = copy.deepcopy(SHOP)
    place: Any = data
    for key in path.split(".")[:-1]:
        place = place[key]
    del place[path.rsplit(".", maxsplit=1)[-1]]
    assert told(data) == f"shop.yml: {path}: is missing"


@pytest.mark.parametrize("data", [None, [], "front_proxy", 5])
def test_a_file_that_is_no_mapping(data: Any) -> None:
    assert told(data) == "shop.yml: is not a mapping; a demo starts with 'summary:', 'ports:' and 'services:'"


@pytest.mark.parametrize("name", ["", "Shop", "a b", "a/b", "..", "-a", "a-", "a\n", "x" * 43])
def test_a_demo_of_a_name_that_nobody_can_bear(name: str) -> None:
    with pytest.raises(DemoError, match=r"(?s)^shop\.yml: the demo's name .* has to be lower case letters"):
        read(name, SHOP, file="shop.yml")


@pytest.mark.parametrize("name", ["a", "front_proxy", "a-b", "1", "x" * 42])
def test_a_demo_of_a_good_name(name: str) -> None:
    assert read(name, SHOP)["name"] == name
    assert read(name, SHOP)["file"] == name  # what errors call a demo that is no file


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("services.db.app", {}, "services.db: has both 'app' (the demo app) and 'server' (another program); choose one"),
        ("proxies.web", {}, "proxies.web: a service has that name already; names are unique in a demo"),
        ("proxies.ca", {}, "proxies.ca: the collection itself uses the name 'ca' there; choose another"),
        ("services.admin", {"sidecar": {}}, "services.admin: the collection itself uses the name 'admin' there"),
        (f"{EDGE}.listeners.admin", {"port": 9000, "routes": []}, f"{EDGE}.listeners.admin: the collection itself uses the name"),
        ("services.web.sidecar.listeners.app", {"port": 9001}, "services.web.sidecar.listeners.app: the collection itself uses"),
        (f"{EDGE}.clusters.statsd", {"to": "web"}, f"{EDGE}.clusters.statsd: the collection itself uses the name 'statsd'"),
        (
            f"{EDGE}.listeners.http.filters", [],
            f"{EDGE}.listeners.http: has 'routes' and 'filters'; it needs exactly one of 'routes', 'virtual_hosts' (HTTP) and 'filters'",
        ),
        (
            f"{EDGE}.listeners.http.virtual_hosts", [],
            f"{EDGE}.listeners.http: has 'routes' and 'virtual_hosts'; it needs exactly one of",
        ),
        (f"{EDGE}.listeners.http.routes", None, f"{EDGE}.listeners.http: says nothing of what it does; it needs exactly one of"),
        (
            f"{EDGE}.listeners.tcp", {"port": 8081, "filters": [], "http_filters": [{}]},
            f"{EDGE}.listeners.tcp.http_filters: is for HTTP, and 'filters' makes this listener speak something else",
        ),
        (f"{EDGE}.clusters.web.to", None, f"{EDGE}.clusters.web: needs either 'to' (a service or proxy of this demo) or 'address'"),
        (f"{EDGE}.clusters.web.address", "db", f"{EDGE}.clusters.web: needs either 'to'"),
        (f"{EDGE}.clusters.web.port", 8080, f"{EDGE}.clusters.web.port: leave it out, because the port of 'web' is known"),
        (f"{EDGE}.clusters.other", {"address": "db"}, f"{EDGE}.clusters.other: has an 'address' and no 'port'"),
        (
            f"{EDGE}.statsd.address", "statsd.example.com",
            (
                f"{EDGE}.statsd.address: Envoy's UDP sink takes an IP address, not the name 'statsd.example.com';"
                " give its address, or use 'transport: tcp', which resolves names"
            ),
        ),
        (
            f"{EDGE}.statsd", {"address": "h", "transport": "tcp", "style": "dog_statsd"},
            f"{EDGE}.statsd: dog_statsd speaks UDP only; use 'style: statsd', or 'transport: udp' and an IP address",
        ),
        (
            "statsd_exporter.shares_network_with",
            "wbe",
            "statsd_exporter.shares_network_with: there is no service or proxy 'wbe'; did you mean 'web'?",
        ),
        ("services.web.replicas", 0, "statsd_exporter.shares_network_with: 'web' has no replica to be beside"),
        ("services.db.server.files", {"../x": ""}, "services.db.server.files.../x: has to be a path inside of the server's folder"),
        ("services.db.server.files", {"/etc/passwd": ""}, "services.db.server.files./etc/passwd: has to be a path inside"),
    ],
)  # fmt: skip
def test_keys_that_do_not_go_together(path: str, value: Any, sentence: str) -> None:
    assert told(put(path, value)).startswith(f"shop.yml: {sentence}")


def test_statsd_by_name_over_tcp_is_fine() -> None:
    data = put(f"{EDGE}.statsd", {"address": "statsd.example.com", "transport": "tcp"})
    assert read("shop", data)["proxies"]["edge"]["statsd"]["port"] == 9125


@pytest.mark.parametrize(
    ("value", "kind", "taken"),
    [("3", "services.web.replicas", 3), ("false", f"{EDGE}.access_log", False), (5, "summary", "5")],
)
def test_what_a_template_hands_over_as_text_is_taken_for_what_it_says(
    value: Any, kind: str, taken: Any
) -> None:
    found: Any = read("shop", put(kind, value))
    for key in kind.split("."):
        found = found[key]
    assert found == taken
    assert type(found) is type(taken)


def test_empty_text_where_a_mapping_belongs_is_a_templates_null() -> None:
    assert read("shop", put(f"{EDGE}.statsd", ""))["proxies"]["edge"]["statsd"] is None


def test_a_key_with_nothing_after_it_has_all_defaults_where_these_are_enough() -> None:
    demo = read("shop", put("services.web.sidecar", None))
    assert list(demo["services"]["web"]["sidecar"]["listeners"]) == ["ingress"]
    assert read("shop", put(f"{EDGE}.statsd", None))["proxies"]["edge"]["statsd"] is None
    assert read("shop", put("services.other", None))["services"]["other"]["port"] == 8080


def test_defaults_are_not_shared_between_demos() -> None:
    first = read("shop", SHOP)
    first["services"]["web"]["sidecar"]["clusters"]["x"] = 1
    first["proxies"]["edge"]["bootstrap"]["x"] = 1
    first["proxies"]["edge"]["listeners"]["http"]["http_filters"].append(1)
    second = read("shop", SHOP)
    assert second["services"]["web"]["sidecar"]["clusters"] == {}
    assert second["proxies"]["edge"]["bootstrap"] == {}
    assert second["proxies"]["edge"]["listeners"]["http"]["http_filters"] == []


def test_reading_changes_nothing_in_what_is_read() -> None:
    before = put("proxies.edge.bootstrap", {"node": {"id": "x"}})
    data = copy.deepcopy(before)
    demo = read("shop", data, replicas={"db": 2})
    demo["proxies"]["edge"]["listeners"]["http"]["routes"][0]["match"] = None
    demo["proxies"]["edge"]["bootstrap"]["node"]["id"] = "y"
    read("shop", data, change="bigger")
    assert data == before


# Sidecars


def test_a_sidecar_that_says_nothing_forwards_everything_to_its_service() -> None:
    demo = read("shop", put("services.web.sidecar", {}))
    ingress = demo["services"]["web"]["sidecar"]["listeners"]["ingress"]
    assert ingress["port"] == 10000
    assert ingress["routes"] == [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
    assert ingress["filters"] is None


def test_a_sidecar_of_a_tcp_service_forwards_bytes() -> None:
    demo = read("shop", put("services.db.sidecar", {}))
    ingress = demo["services"]["db"]["sidecar"]["listeners"]["ingress"]
    assert ingress["routes"] is None
    assert ingress["filters"][0]["typed_config"]["cluster"] == "db"


def test_a_sidecars_listener_that_says_what_it_does_is_left_alone() -> None:
    routes = [{"match": {"prefix": "/x"}, "route": {"cluster": "y"}}]
    demo = read("shop", put("services.web.sidecar.listeners.ingress.routes", routes))
    assert demo["services"]["web"]["sidecar"]["listeners"]["ingress"]["routes"] == routes


# Changes and replicas


def test_a_change_is_merged_over_the_topology() -> None:
    demo = read("shop", SHOP, change="bigger")
    assert demo["services"]["web"]["replicas"] == 3
    assert demo["services"]["web"]["sidecar"]["listeners"]["ingress"]["port"] == 9000
    assert read("shop", SHOP)["services"]["web"]["replicas"] == 1


def test_a_null_of_a_change_removes_the_key() -> None:
    data = put("changes.bigger.set", {"services": {"web": {"sidecar": None}}, "statsd_exporter": None})
    demo = read("shop", data, change="bigger")
    assert demo["services"]["web"]["sidecar"] is None
    assert demo["statsd_exporter"] is None


def test_a_change_brings_traffic_and_expectations_of_its_own() -> None:
    data = put("traffic", [{"to": "web"}])
    assert read("shop", data, change="bigger")["traffic"] == [{"to": "web"}]
    data["changes"]["bigger"] |= {"traffic": [{"to": "edge"}], "expectations": []}
    assert read("shop", data, change="bigger")["traffic"] == [{"to": "edge"}]
    assert read("shop", data)["traffic"] == [{"to": "web"}]


def test_an_unknown_change() -> None:
    assert (
        told(SHOP, change="biger") == "shop.yml: changes: there is no change 'biger'; did you mean 'bigger'?"
    )
    assert told({"summary": "s", "ports": 2000}, change="x") == (
        "shop.yml: changes: there is no change 'x'; there is: none"
    )


def test_a_change_of_what_cannot_be_changed() -> None:
    assert told(put("changes.bigger.set.ports", 3000)) == (
        "shop.yml: changes.bigger.set.ports: only services, proxies, statsd_exporter can be changed"
    )


@pytest.mark.parametrize("change", ["", "bigger"])
def test_a_mistake_in_a_change_is_told_whether_it_is_asked_for_or_not(change: str) -> None:
    data = put("changes.bigger.set.services.web.replicaz", 3)
    assert told(data, change=change) == (
        "shop.yml with change 'bigger': services.web: there is no key 'replicaz'; did you mean 'replicas'?"
    )


def test_replicas_of_a_run_win_over_the_file_and_the_change() -> None:
    assert read("shop", SHOP, replicas={"web": 2})["services"]["web"]["replicas"] == 2
    assert read("shop", SHOP, change="bigger", replicas={"web": "2"})["services"]["web"]["replicas"] == 2


@pytest.mark.parametrize(
    ("replicas", "sentence"),
    [
        ({"wbe": 2}, "replicas: there is no service 'wbe'; did you mean 'web'?"),
        ({"edge": 2}, "replicas: there is no service 'edge'; there is: db, web"),
        ({"web": 99}, "replicas.web: 99 is not between 0 and 10"),
        ({"web": "two"}, "replicas.web: has to be a whole number, not 'two'"),
        (
            {"web": 0},
            "statsd_exporter.shares_network_with: 'web' has no replica to be beside; give it one, or leave 'shares_network_with' out",
        ),
    ],
)  # fmt: skip
def test_replicas_that_cannot_be(replicas: dict[str, Any], sentence: str) -> None:
    assert told(SHOP, replicas=replicas) == f"shop.yml: {sentence}"


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


def test_merge_shares_nothing(shared: Callable[[Any, Any], bool]) -> None:
    base, over = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    assert not shared(merge(base, over), base)
    assert not shared(merge(base, over), over)


@pytest.fixture
def shared() -> Callable[[Any, Any], bool]:
    """Whether two values have a container in common."""

    def containers(value: Any) -> set[int]:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        own = {id(value)} if isinstance(value, (dict, list)) else set()
        return own.union(*(containers(one) for one in inside))

    return lambda one, other: bool(containers(one) & containers(other))
