# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the configuration of one Envoy: filter chains, localities and static clusters."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from plan_queries import workload_of
from shop_demo import Planner, changed

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError


def test_static_cluster_is_only_in_the_bootstrap(plan: Planner) -> None:
    data = changed("proxies.edge.clusters.control", {"to": "web", "static": True})
    del data["statsd_exporter"]
    for platform in ("local", "docker", "kubernetes"):
        planned = plan(data, platform)
        files = {
            one["path"]: yaml.safe_load(one["content"])
            for one in planned["files"]
            if one["path"][:5] == "edge/"
        }
        static = {one["name"]: one for one in files["edge/bootstrap.yaml"]["static_resources"]["clusters"]}
        assert "control" in static
        assert "@type" not in static["control"]
        assert "control" not in [one["name"] for one in files["edge/clusters.yaml"]["resources"]]
        (check,) = (one for one in planned["checks"] if one["name"] == "edge")
        candidate = yaml.safe_load(check["files"][0]["content"])["static_resources"]["clusters"]
        assert [one["name"] for one in candidate].count("control") == 1


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


def document(planned: dict[str, Any], path: str) -> Any:
    [content] = [file["content"] for file in planned["files"] if file["path"] == path]
    return yaml.safe_load(content)["resources"]


def test_filter_chain_has_its_own_match_and_tls(plan: Planner) -> None:
    planned = plan(chains_shop(), "docker")
    [listener] = document(planned, "edge/listeners.yaml")
    first, rest = listener["filter_chains"]
    assert first["name"] == "shop"
    assert first["filter_chain_match"] == {"server_names": ["shop"]}
    assert first["filters"][0]["typed_config"]["stat_prefix"] == "shop"
    context = first["transport_socket"]["typed_config"]
    assert context["full_scan_certs_on_sni_mismatch"] is True
    assert context["common_tls_context"]["alpn_protocols"] == ["h2", "http/1.1"]
    assert rest == {"name": "rest", "filter_chain_match": {}, "filters": [{"name": "x"}]}
    [certificate] = planned["certificates"]
    assert certificate["names"] == ["edge", "localhost", "shop"]


def test_address_of_the_author_makes_a_udp_port(plan: Planner) -> None:
    fields = {
        "address": {"socket_address": {"protocol": "UDP"}},
        "udp_listener_config": {"quic_options": {}},
    }
    quic = {"port": 8443, "publish": 18443, "routes": [], "listener": fields}
    planned = plan(chains_shop(listeners={"quic": quic}), "docker")
    [listener] = document(planned, "edge/listeners.yaml")
    address = listener["address"]["socket_address"]
    assert address == {"address": "0.0.0.0", "port_value": 8443, "protocol": "UDP"}
    assert [one["protocol"] for one in workload_of(planned, "edge")["ports"]] == ["udp", "tcp"]


def test_udp_has_listener_ports_and_sidecar(plan: Planner) -> None:
    data = chains_shop()
    data["services"]["echo"]["sidecar"] = {"listeners": {"ingress": {"port": 7001, "publish": 17001}}}
    planned = plan(data, "docker")
    [listener] = document(planned, "echo-1/listeners.yaml")
    assert listener["address"]["socket_address"]["protocol"] == "UDP"
    assert "filter_chains" not in listener
    assert listener["listener_filters"][0]["name"] == "envoy.filters.udp_listener.udp_proxy"
    assert [one["protocol"] for one in workload_of(planned, "echo-1-envoy")["ports"]] == ["udp", "tcp"]
    assert [one["protocol"] for one in workload_of(planned, "echo-1")["ports"]] == ["udp"]
    # the app accepts connections on the same port, for its probe
    assert workload_of(planned, "echo-1")["probe"]["kind"] == "tcp"
    assert {"name": "echo/ingress", "url": "udp://127.0.0.1:17001", "what": "listener"} in planned[
        "addresses"
    ]


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_localities_have_addresses_of_services(plan: Planner, platform: str) -> None:
    localities = [{"to": "near", "priority": 0, "locality": {"zone": "a"}}, {"to": "far", "priority": 1}]
    planned = plan(chains_shop(clusters={"near": {"localities": localities}}), platform)
    [cluster] = document(planned, "edge/clusters.yaml")
    near, far = cluster["load_assignment"]["endpoints"]
    assert (near["priority"], near["locality"], len(near["lb_endpoints"])) == (0, {"zone": "a"}, 2)
    assert (far["priority"], len(far["lb_endpoints"])) == (1, 1)
    assert "to" not in near
    hosts = [one["endpoint"]["address"]["socket_address"]["address"] for one in near["lb_endpoints"]]
    assert hosts == (["127.0.0.1"] * 2 if platform == "local" else ["near-1", "near-2"])
    assert ("type" in cluster) == (platform == "local")


def error_of(plan: Planner, data: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data)
    return str(caught.value).removeprefix("shop.yml: ")


@pytest.mark.parametrize(
    ("edge", "message"),
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
            "proxies.edge.clusters.near: has 'to' and 'localities'. Keep one of them",
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
def test_contradicting_listener_or_cluster_is_refused(
    plan: Planner, edge: dict[str, Any], message: str
) -> None:
    if message:
        assert error_of(plan, chains_shop(**edge)).startswith(message)
    else:
        assert plan(chains_shop(**edge))
