# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of a running Envoy's routes: no listener changes, no connection is drained, and no request is lost."""

from __future__ import annotations

import json
from typing import Any

from cases import CaseDeployment, PortBlock
from kept_connections import requests_on

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin

RDS = "http.http.rds.http"
# The stats that a change of routes leaves as they are.
UNCHANGED = (
    "listener_manager.lds.update_success",
    "listener_manager.listener_modified",
    "listener_manager.listener_in_place_updated",
    "listener_manager.total_filter_chains_draining",
    "http.http.downstream_cx_drain_close",
)


def demo(block: PortBlock, word: str, cluster: str = "", **edge: Any) -> dict[str, Any]:
    """Return a demo whose edge responds with a word, and has a cluster with a name that changes with it."""
    answer = {"status": 200, "body": {"inline_string": word}}
    routes = [{"match": {"prefix": "/"}, "direct_response": answer}]
    listener = {"port": block.first, "publish": block.first, "routes": routes}
    data = {
        "summary": "Routes",
        "ports": block.first,
        "proxies": {"edge": {"listeners": {"http": listener}, **edge}},
    }
    if cluster:
        routes.insert(0, {"match": {"prefix": f"/{cluster}"}, "route": {"cluster": cluster}})
        data["proxies"]["edge"]["clusters"] = {cluster: {"address": "127.0.0.1", "port": 9}}
    return data


def stats(local: CaseDeployment, url: str = "") -> dict[str, str]:
    """Return all stats of the edge, or of the admin interface at a URL."""
    return ConfigAdmin(url or f"unix://{local.folder}/edge/run/admin.sock").stats(".*", 60)


def test_route_change_drains_no_connection(local: CaseDeployment, block: PortBlock) -> None:
    local.deploy(demo(block, "one", "first"))
    before = stats(local)
    with requests_on(block.first) as answers:
        result = local.result(local.plan(demo(block, "two", "second")))
        assert not result["failed"], result["msg"]
        two = local.result(local.plan(demo(block, "three", "second")))
        assert not two["failed"], two["msg"]
    after = stats(local)
    assert (answers.lost, answers.closed) == ([], 0)
    assert {"one", "three"} <= {*answers.bodies} <= {"one", "two", "three"}
    assert (result["started"], result["restarted"]) == ([], [])
    assert not result.get("warnings")
    assert {path for path in result["files"] if path.endswith(".yaml")} == {
        "edge/routes/http.yaml",
        "edge/clusters.yaml",
    }
    # The routes changed twice; the clusters were added, and removed after the routes no longer named them.
    assert int(after[f"{RDS}.update_success"]) == int(before[f"{RDS}.update_success"]) + 2
    assert {name: after[name] for name in UNCHANGED} == {name: before[name] for name in UNCHANGED}
    assert "cluster.second.upstream_cx_total" in after
    assert "cluster.first.upstream_cx_total" not in after


def test_routes_are_confirmed_without_their_stats(local: CaseDeployment, block: PortBlock) -> None:
    hides = {"stats_config": {"stats_matcher": {"exclusion_list": {"patterns": [{"prefix": "http."}]}}}}
    local.deploy(demo(block, "one", **hides))
    with requests_on(block.first) as answers:
        result = local.result(local.plan(demo(block, "two", **hides)))
        assert not result["failed"], result["msg"]
        assert answers.bodies["two"] or answers.bodies["one"]
    assert not any(name.startswith("http.") for name in stats(local))
    assert (answers.lost, answers.closed, set(answers.bodies)) == ([], 0, {"one", "two"})


def test_filter_change_updates_its_listener_only(local: CaseDeployment, block: PortBlock) -> None:
    """Another filter chain of another listener keeps its connections."""

    def two_listeners(level: int) -> dict[str, Any]:
        data = demo(block, "one")
        other = json.loads(json.dumps(data["proxies"]["edge"]["listeners"]["http"]))
        other |= {"port": block.first + 1, "publish": block.first + 1}
        other["http_connection_manager"] = {"max_request_headers_kb": level}
        data["proxies"]["edge"]["listeners"]["other"] = other
        return data

    local.deploy(two_listeners(60))
    before = stats(local)
    with requests_on(block.first) as kept, requests_on(block.first + 1) as drained:
        result = local.result(local.plan(two_listeners(61)))
        assert not result["failed"], result["msg"]
    after = stats(local)
    assert (kept.lost, kept.closed, drained.lost) == ([], 0, [])
    assert drained.closed > 0
    changed = "listener_manager.listener_in_place_updated"
    assert int(after[changed]) == int(before[changed]) + 1
    assert after[f"{RDS}.update_success"] == before[f"{RDS}.update_success"]


def test_rejected_routes_are_restored_with_the_reason(local: CaseDeployment, block: PortBlock) -> None:
    """Validation reads no watched file of an author; the running Envoy rejects it, and its log has the reason."""
    texts = {"envoy.yaml": BOOTSTRAP, "rds.yaml": ROUTES, "eds.yaml": ENDPOINTS}
    for name, text in texts.items():
        (local.root / name).write_text(on_ports_of(block, text), encoding="utf-8")
    data = {
        "summary": "Own files",
        "ports": block.first,
        "proxies": {"front": {"config": ["envoy.yaml", "rds.yaml", "eds.yaml"]}},
    }
    local.deploy(data)
    with requests_on(block.first) as answers:
        (local.root / "eds.yaml").write_text(ENDPOINTS.replace("9 }", "10 }").replace("v1", "v2"))
        (local.root / "rds.yaml").write_text(ROUTES.replace("one", "two").replace("v1", "v2"))
        result = local.result(local.plan(data))
        assert not result["failed"], result["msg"]
        seen = stats(local, f"http://127.0.0.1:{block.first + 1}")
        assert seen["http.http.rds.own.version_text"] == seen["cluster.web.version_text"] == '"v2"'
        for name, wrong, reason in (
            ("rds.yaml", ROUTES.replace("domains: [a]", "domains: ['*']").replace("v1", "v3"), "Only a single wildcard domain"),
            ("eds.yaml", ENDPOINTS.replace("priority: 0", "priority: 200").replace("v1", "v3"), "less than or equal to 128"),
        ):  # fmt: skip
            good = (local.root / name).read_text(encoding="utf-8")
            (local.root / name).write_text(wrong, encoding="utf-8")
            refused = local.result(local.plan(data))
            assert refused["failed"]
            assert f"front: {name}: the running Envoy did not accept the file: " in refused["msg"]
            assert reason in refused["msg"]
            assert "The previous deployment was restored." in refused["msg"]
            (local.root / name).write_text(good, encoding="utf-8")
    assert (answers.lost, answers.closed) == ([], 0)
    assert {*answers.bodies} == {"one", "two"}


def on_ports_of(block: PortBlock, text: str) -> str:
    """Return a configuration with ports of a block."""
    return text.replace("10000", str(block.first)).replace("10001", str(block.first + 1))


BOOTSTRAP = """\
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 10001}}}
static_resources:
  listeners:
    - name: http
      address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: http
                rds: {route_config_name: own, config_source: {path_config_source: {path: /etc/envoy/rds.yaml}}}
                http_filters:
                  - name: router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
    - name: web
      type: EDS
      eds_cluster_config: {eds_config: {path_config_source: {path: /etc/envoy/eds.yaml}}}
"""
ROUTES = """\
version_info: "v1"
resources:
  - "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
    name: own
    virtual_hosts:
      - {name: a, domains: [a], routes: []}
      - name: all
        domains: ["*"]
        routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: one}}}]
"""
ENDPOINTS = """\
version_info: "v1"
resources:
  - "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
    cluster_name: web
    endpoints:
      - priority: 0
        lb_endpoints:
          - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9 }}}
"""
