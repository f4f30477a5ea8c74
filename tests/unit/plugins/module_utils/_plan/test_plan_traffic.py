# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the traffic of a plan."""

from __future__ import annotations

from typing import Any

import pytest
from shop_demo import Planner, shop

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError


def test_traffic_reaches_the_read_only_admin(plan: Planner) -> None:
    data = shop(traffic=[{"to": "edge/admin", "path": "/stats"}])
    del data["statsd_exporter"]
    for platform, start in (
        ("local", "http://127.0.0.1:20"),
        ("docker", "http://127.0.0.1:20"),
        ("kubernetes", "http://shop-edge:9902"),
    ):
        (sent,) = plan(data, platform)["traffic"]
        assert sent["url"].startswith(start)
        assert sent["url"].endswith("/stats")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"to": "edge"}, {"url": "http://127.0.0.1:18080/", "name": "edge", "timeout": 60}),
        ({"to": "edge", "timeout": 2}, {"timeout": 2}),
        ({"to": "edge/http", "path": "/x?y=1"}, {"url": "http://127.0.0.1:18080/x?y=1"}),
        ({"to": "edge/tcp"}, {"url": "tcp://127.0.0.1:17000"}),
        ({"to": "web/app", "name": "n"}, {"url": "http://127.0.0.1:18081/", "name": "n"}),
        (
            {"to": "edge/https"},
            {"url": "https://127.0.0.1:18443/", "ca": "/state/ca/ca.crt", "server_name": "edge"},
        ),
        ({"to": "edge/https", "server_name": "other"}, {"server_name": "other"}),
        (
            {"to": "edge", "expect": [{"hosts": "spread", "among": "web", "op": "le", "value": 1}]},
            {"expect": [{"hosts": "spread", "among": ["web-1", "web-2"], "op": "le", "value": 1}]},
        ),
        (
            {"to": "edge", "expect": [{"hosts": "count", "op": "eq", "value": {"replicas": "web"}}]},
            {"expect": [{"hosts": "count", "op": "eq", "value": 2}]},
        ),
    ],
)  # fmt: skip
def test_traffic_gets_url_and_defaults(
    plan: Planner, entry: dict[str, Any], expected: dict[str, Any]
) -> None:
    (found,) = plan(shop(traffic=[entry]))["traffic"]
    assert {key: found[key] for key in expected} == expected
    assert not {"to", "path"} & found.keys()


def error_of(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "traffic[0]: 'to' is missing. Name a service or proxy, such as 'to: edge'."),
        ({"tto": "edge"}, "traffic[0]: unknown key 'tto'. Did you mean 'to'?"),
        ({"to": "edge", "url": "http://x/"}, "traffic[0].url: the planner computes it. Use 'to' with a service or proxy."),
        ({"to": "egde"}, "traffic[0].to: unknown service or proxy 'egde'. Did you mean 'edge'?"),
        ({"to": "edge/htp"}, "traffic[0].to: unknown listener of 'edge' 'htp'. Did you mean 'http'?"),
        ({"to": "edge/inner"}, "traffic[0].to: listener 'inner' of 'edge' is not published. Add 'publish:' with a port."),
        ({"to": "edge/tcp", "path": "/"}, "traffic[0].path: applies to HTTP, but 'edge/tcp' speaks tcp."),
        ({"to": "edge", "request": 5}, "traffic[0]: unknown key 'request'. Did you mean 'requests'?"),
        ({"to": "edge", "requests": "many"}, "traffic[0].requests"),
        ({"to": "edge", "expect": ["x"]}, "traffic[0].expect[0]"),
        ({"to": "edge", "expect": "x"}, "traffic[0].expect: expected a list"),
        ({"to": "edge", "expect": [{"staus": "200", "op": "eq", "value": 1}]}, "traffic[0].expect[0]: unknown key 'staus'"),
        (
            {"to": "edge", "expect": [{"hosts": "spread", "among": "wbe", "op": "le", "value": 1}]},
            "traffic[0].expect[0].among: unknown service 'wbe'. Did you mean 'web'?",
        ),
        (
            {"to": "edge", "expect": [{"hosts": "count", "op": "eq", "value": {"replicas": "wbe"}}]},
            "traffic[0].expect[0].value.replicas: unknown service 'wbe'. Did you mean 'web'?",
        ),
    ],
)  # fmt: skip
def test_wrong_traffic_is_refused(plan: Planner, entry: dict[str, Any], message: str) -> None:
    assert error_of(plan, shop(traffic=[entry])).startswith(f"shop.yml: {message}")


def test_error_in_traffic_of_a_change_names_its_key(plan: Planner) -> None:
    changes = {"more": {"summary": "More", "during": [{"to": "edge", "rate": "x"}]}}
    assert error_of(plan, shop(changes=changes), change="more").startswith(
        "shop.yml with change 'more': changes.more.during[0].rate"
    )
    changes["more"]["during"] = [{"to": "edge", "rate": 5, "duration": 1}]
    planned = plan(shop(changes=changes), change="more")
    assert planned["during"][0]["url"] == "http://127.0.0.1:18080/"
    assert planned["summary"] == "More"
    assert plan(shop(changes=changes))["during"] == []


ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "near"}}]


CHAINS = {
    "shop": {
        "match": {"server_names": ["shop"]},
        "tls": {"names": ["shop"], "context": {"full_scan_certs_on_sni_mismatch": True}},
        "routes": ROUTES,
    },
    "rest": {"filters": [{"name": "x"}]},
}


def chains_shop(**edge: Any) -> dict[str, Any]:
    listeners = {"any": {"port": 8443, "publish": 18443, "filter_chains": CHAINS}}
    return {
        "summary": "A chains_shop",
        "ports": 20000,
        "services": {
            "near": {"app": {}, "replicas": 2},
            "far": {"app": {}},
            "echo": {"protocol": "udp", "port": 7000},
        },
        "proxies": {"edge": {"listeners": listeners, "clusters": {"near": {"to": "near"}}, **edge}},
    }


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ({"to": "edge"}, "https://127.0.0.1:18443/"),
        ({"to": "edge/any", "scheme": "wss", "path": "/x"}, "wss://127.0.0.1:18443/x"),
        ({"to": "edge", "scheme": "tcp"}, "tcp://127.0.0.1:18443"),
        ({"to": "edge/admin", "path": "/stats"}, "http://127.0.0.1:20004/stats"),
    ],
)
def test_traffic_has_scheme_of_target_or_its_own(plan: Planner, entry: dict[str, Any], url: str) -> None:
    [sent] = plan({**chains_shop(), "traffic": [entry]})["traffic"]
    assert sent["url"] == url
    encrypted = url.startswith(("https", "wss"))
    assert (sent.get("ca"), sent.get("server_name")) == (
        ("/state/ca/ca.crt", "edge") if encrypted else (None, None)
    )


def chains_error_of(plan: Planner, data: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data)
    return str(caught.value).removeprefix("shop.yml: ")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"to": "edge", "scheme": "udp"}, "traffic[0].scheme: unknown scheme 'udp'. Use one of: "),
        (
            {"to": "edge", "scheme": "tcp", "path": "/"},
            "traffic[0].path: applies to HTTP, but 'edge/any' speaks tcp.",
        ),
        ({"to": "near/admin"}, "traffic[0].to: unknown listener of 'near' 'admin'."),
    ],
)
def test_impossible_scheme_is_refused(plan: Planner, entry: dict[str, Any], message: str) -> None:
    assert chains_error_of(plan, {**chains_shop(), "traffic": [entry]}).startswith(message)


@pytest.mark.parametrize("manager", [{"codec_type": "HTTP2"}, {"codecType": "HTTP2"}])
def test_traffic_has_the_protocol_of_its_listener(plan: Planner, manager: dict[str, Any]) -> None:
    data = shop(traffic=[{"to": "edge/http"}])
    data["proxies"]["edge"]["listeners"]["http"]["http_connection_manager"] = manager
    assert plan(data)["traffic"][0]["protocol"] == "http2"
    data["traffic"] = [{"to": "edge/http", "protocol": "http1"}]
    with pytest.raises(DemoError) as caught:
        plan(data)
    assert (
        "traffic[0]: listener 'http' of 'edge' accepts only HTTP2, but the traffic is sent with http1."
        " Remove 'protocol' of the traffic, or change it in the listener."
    ) in str(caught.value)


def test_http3_traffic_needs_an_http3_listener(plan: Planner) -> None:
    data = shop(traffic=[{"to": "edge/http", "protocol": "http3"}])
    with pytest.raises(
        DemoError, match=r"listener 'http' of 'edge' accepts TCP only. Set 'protocol: http3' there"
    ):
        plan(data)
    data["proxies"]["edge"]["listeners"]["http"]["protocol"] = "http3"
    data["traffic"] = [{"to": "edge/http"}]
    [entry] = plan(data)["traffic"]
    assert (entry["protocol"], entry["url"].partition(":")[0]) == ("http3", "https")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"to": "plain", "protocol": "http3"},
            "traffic[0].protocol: 'plain/app' accepts TCP only. Name a listener with 'protocol: http3' in 'to', or remove the key.",
        ),
        (
            {"to": "plain", "protocol": "grpc", "path": "/a"},
            "traffic[0].path: /a is not the path of a gRPC method. Write /PACKAGE.SERVICE/METHOD.",
        ),
    ],
)
def test_error_names_the_key_of_the_author(plan: Planner, keys: dict[str, Any], message: str) -> None:
    data = shop(traffic=[keys])
    data["services"]["plain"] = {"publish": 20090}
    with pytest.raises(DemoError) as caught:
        plan(data)
    assert message in str(caught.value)


def test_bytes_to_an_http2_listener_are_sent(plan: Planner) -> None:
    data = shop(traffic=[{"to": "edge/http", "scheme": "tcp", "payload": "x"}])
    data["proxies"]["edge"]["listeners"]["http"]["http_connection_manager"] = {"codec_type": "HTTP2"}
    assert plan(data)["traffic"][0]["url"].startswith("tcp://")


@pytest.mark.parametrize(
    ("platform", "url", "origins"),
    [
        ("local", "http://127.0.0.1:18081", ["http://127.0.0.1:18081"]),
        ("docker", "http://127.0.0.1:18081", ["http://127.0.0.1:18081", "http://web-1:8080"]),
        ("kubernetes", "http://shop-web:18081", ["http://shop-web:18081"]),
    ],
)
def test_redirect_target_has_the_origins_that_proxies_know(
    plan: Planner, platform: str, url: str, origins: list[str]
) -> None:
    entry = {"to": "edge", "follow_redirects": 2, "redirects_to": ["web/app", "edge/https"]}
    data = shop(traffic=[entry])
    del data["statsd_exporter"]
    first, second = plan(data, platform)["traffic"][0]["redirects_to"]
    assert first["url"] == url
    assert set(origins) <= set(first["origins"]), first["origins"]
    assert ("pod" in first) is (platform == "kubernetes")
    assert (second["ca"], second["server_name"]) == ("/state/ca/ca.crt", "edge")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("wbe", "traffic[0].redirects_to[0]: unknown service or proxy 'wbe'. Did you mean 'web'?"),
        ("edge/tcp", "traffic[0].redirects_to[0]: 'edge/tcp' speaks tcp. Name a target with HTTP."),
    ],
)
def test_wrong_redirect_target_is_refused(plan: Planner, target: str, message: str) -> None:
    entry = {"to": "edge", "follow_redirects": 2, "redirects_to": [target]}
    assert message in error_of(plan, shop(traffic=[entry]))


def test_response_flags_are_refused_during_a_change(plan: Planner) -> None:
    sent = {"to": "edge", "expect": [{"response_flag": "UH", "op": "eq", "value": 0}]}
    change = {"summary": "Two", "set": {"services": {"web": {"replicas": 3}}}, "during": [sent]}
    data = shop(changes={"more": change})
    assert "changes.more.during[0].expect: response_flag needs the access log after the traffic." in error_of(
        plan, data, change="more"
    )
