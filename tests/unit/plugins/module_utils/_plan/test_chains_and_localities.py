# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners of several filter chains, listeners of datagrams, clusters of several localities, and traffic to all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]
ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "near"}}]
CHAINS = {
    "shop": {
        "match": {"server_names": ["shop"]},
        "tls": {"names": ["shop"], "context": {"full_scan_certs_on_sni_mismatch": True}},
        "routes": ROUTES,
    },
    "rest": {"filters": [{"name": "x"}]},
}


def shop(**edge: Any) -> dict[str, Any]:
    listeners = {"any": {"port": 8443, "publish": 18443, "filter_chains": CHAINS}}
    return {
        "summary": "A shop",
        "ports": 20000,
        "services": {
            "near": {"app": {}, "replicas": 2},
            "far": {"app": {}},
            "echo": {"protocol": "udp", "port": 7000},
        },
        "proxies": {"edge": {"listeners": listeners, "clusters": {"near": {"to": "near"}}, **edge}},
    }


def document(made: dict[str, Any], path: str) -> Any:
    [content] = [file["content"] for file in made["files"] if file["path"] == path]
    return yaml.safe_load(content)["resources"]


def workload(made: dict[str, Any], name: str) -> Any:
    [found] = [one for one in made["workloads"] if one["name"] == name]
    return found


def told(plan: Planner, data: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data)
    return str(caught.value).removeprefix("shop.yml: ")


def test_chains_have_matches_names_and_tls_of_their_own(plan: Planner) -> None:
    made = plan(shop(), "docker")
    [listener] = document(made, "edge/listeners.yaml")
    first, rest = listener["filter_chains"]
    assert first["name"] == "shop"
    assert first["filter_chain_match"] == {"server_names": ["shop"]}
    assert first["filters"][0]["typed_config"]["stat_prefix"] == "shop"
    context = first["transport_socket"]["typed_config"]
    assert context["full_scan_certs_on_sni_mismatch"] is True
    assert context["common_tls_context"]["alpn_protocols"] == ["h2", "http/1.1"]
    assert rest == {"name": "rest", "filter_chain_match": {}, "filters": [{"name": "x"}]}
    [certificate] = made["certificates"]
    assert certificate["names"] == ["edge", "localhost", "shop"]


def test_datagrams_have_a_listener_ports_and_a_sidecar(plan: Planner) -> None:
    data = shop()
    data["services"]["echo"]["sidecar"] = {"listeners": {"ingress": {"port": 7001, "publish": 17001}}}
    made = plan(data, "docker")
    [listener] = document(made, "echo-1/listeners.yaml")
    assert listener["address"]["socket_address"]["protocol"] == "UDP"
    assert "filter_chains" not in listener
    assert listener["listener_filters"][0]["name"] == "envoy.filters.udp_listener.udp_proxy"
    assert [one["protocol"] for one in workload(made, "echo-1-envoy")["ports"]] == ["udp", "tcp"]
    assert [one["protocol"] for one in workload(made, "echo-1")["ports"]] == ["udp"]
    # the app takes connections on the same port, to be asked
    assert workload(made, "echo-1")["probe"]["kind"] == "tcp"
    assert {"name": "echo/ingress", "url": "udp://127.0.0.1:17001", "what": "listener"} in made["addresses"]


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_localities_have_the_addresses_of_services(plan: Planner, platform: str) -> None:
    localities = [{"to": "near", "priority": 0, "locality": {"zone": "a"}}, {"to": "far", "priority": 1}]
    made = plan(shop(clusters={"near": {"localities": localities}}), platform)
    [cluster] = document(made, "edge/clusters.yaml")
    near, far = cluster["load_assignment"]["endpoints"]
    assert (near["priority"], near["locality"], len(near["lb_endpoints"])) == (0, {"zone": "a"}, 2)
    assert (far["priority"], len(far["lb_endpoints"])) == (1, 1)
    assert "to" not in near
    hosts = [one["endpoint"]["address"]["socket_address"]["address"] for one in near["lb_endpoints"]]
    assert hosts == (["127.0.0.1"] * 2 if platform == "local" else ["near-1", "near-2"])
    assert ("type" in cluster) == (platform == "local")


@pytest.mark.parametrize(
    ("edge", "sentence"),
    [
        (
            {"listeners": {"any": {"port": 8443, "filter_chains": {}}}},
            "proxies.edge.listeners.any.filter_chains: empty.",
        ),
        (
            {"listeners": {"any": {"port": 8443, "filter_chains": {"a": {}}}}},
            "proxies.edge.listeners.any.filter_chains.a: has no routes or filters.",
        ),
        (
            {"listeners": {"any": {"port": 8443, "filter_chains": {"a": {"mtch": {}}}}}},
            "proxies.edge.listeners.any.filter_chains.a: unknown key 'mtch'. Did you mean 'match'?",
        ),
        (
            {"listeners": {"any": {"port": 8443, "tls": {}, "filter_chains": CHAINS}}},
            "proxies.edge.listeners.any.tls: the listener has 'filter_chains'.",
        ),
        (
            {"listeners": {"any": {"port": 8443, "tls": {}, "udp_filters": []}}},
            "proxies.edge.listeners.any.tls: TLS needs connections",
        ),
        (
            {"listeners": {"any": {"port": 8443, "http_filters": [{}], "udp_filters": []}}},
            "proxies.edge.listeners.any.http_filters: applies to HTTP only, but 'udp_filters'",
        ),
        (
            {"listeners": {"any": {"port": 8443, "routes": [], "filter_chains": CHAINS}}},
            "proxies.edge.listeners.any: has 'routes' and 'filter_chains'",
        ),
        ({"clusters": {"near": {"to": "near", "localities": []}}}, ""),
        (
            {"clusters": {"near": {"to": "near", "localities": [{"to": "far"}]}}},
            "proxies.edge.clusters.near: expected exactly one target.",
        ),
        (
            {"clusters": {"near": {"localities": [{"priority": 1}]}}},
            "proxies.edge.clusters.near.localities[0]: 'to' is missing.",
        ),
        ({"clusters": {"near": {"localities": [{"to": "fra"}]}}}, "proxies.edge.clusters.near"),
        (
            {"clusters": {"near": {"localities": [{"to": "far", "lb_endpoints": []}]}}},
            "proxies.edge.clusters.near.localities[0].lb_endpoints: the planner computes",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(plan: Planner, edge: dict[str, Any], sentence: str) -> None:
    if sentence:
        assert told(plan, shop(**edge)).startswith(sentence)
    else:
        assert plan(shop(**edge))


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ({"to": "edge"}, "https://127.0.0.1:18443/"),
        ({"to": "edge/any", "scheme": "wss", "path": "/x"}, "wss://127.0.0.1:18443/x"),
        ({"to": "edge", "scheme": "tcp"}, "tcp://127.0.0.1:18443"),
        ({"to": "edge/admin", "path": "/stats"}, "http://127.0.0.1:20004/stats"),
    ],
)
def test_traffic_says_what_it_speaks(plan: Planner, entry: dict[str, Any], url: str) -> None:
    [sent] = plan({**shop(), "traffic": [entry]})["traffic"]
    assert sent["url"] == url
    encrypted = url.startswith(("https", "wss"))
    assert (sent.get("ca"), sent.get("server_name")) == (
        ("/state/ca/ca.crt", "edge") if encrypted else (None, None)
    )


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"to": "edge", "scheme": "udp"}, "traffic[0].scheme: unknown scheme 'udp'. Use one of: "),
        (
            {"to": "edge", "scheme": "tcp", "path": "/"},
            "traffic[0].path: applies to HTTP, but 'edge/any' speaks tcp.",
        ),
        ({"to": "near/admin"}, "traffic[0].to: unknown listener of 'near' 'admin'."),
    ],
)
def test_traffic_that_speaks_what_cannot_be_spoken(
    plan: Planner, entry: dict[str, Any], sentence: str
) -> None:
    assert told(plan, {**shop(), "traffic": [entry]}).startswith(sentence)
