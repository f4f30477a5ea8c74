# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of one Envoy: when it restarts, and its certificate."""

from __future__ import annotations

from typing import Any

import pytest
from shop_demo import Planner, changed, shop


def digests(plan: dict[str, Any]) -> dict[str, str]:
    return {workload["name"]: workload["digest"] for workload in plan["workloads"]}


LISTENER = "proxies.edge.listeners.http"


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        pytest.param(changed(f"{LISTENER}.routes", [{"match": {"prefix": "/x"}, "redirect": {}}]), set(), id="routes go live"),
        pytest.param(changed(f"{LISTENER}.port", 8088), set(), id="a listener goes live"),
        pytest.param(changed("proxies.edge.clusters.web.cluster", {"lb_policy": "RANDOM"}), set(), id="a cluster goes live"),
        pytest.param(changed("services.web.replicas", 1), set(), id="replicas go live"),
        pytest.param(changed("summary", "Another"), set(), id="summary"),
        pytest.param(changed("proxies.edge.bootstrap", {"stats_flush_on_admin": True}), {"edge"}, id="bootstrap"),
        pytest.param(changed("proxies.edge.stats_config", {"use_all_default_tags": False}), {"edge"}, id="stats_config"),
        pytest.param(changed("proxies.edge.statsd", {"address": "10.0.0.1"}), {"edge"}, id="sink"),
        pytest.param(changed("services.web.sidecar.bootstrap", {"flags_path": "x"}), {"web-1-envoy", "web-2-envoy"}, id="each replica"),
        pytest.param(changed("statsd_exporter.mapping", {"mappings": [{}]}), {"statsd_exporter"}, id="mapping"),
    ],
)  # fmt: skip
def test_digest_changes_with_files_that_are_read_at_start(
    plan: Planner, changed: dict[str, Any], restarted: set[str]
) -> None:
    before, after = digests(plan(shop())), digests(plan(changed))
    assert before["edge"]
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == restarted


def test_route_change_is_one_file(plan: Planner) -> None:
    def contents(data: Any) -> dict[str, str]:
        return {one["path"]: one["content"] for one in plan(data)["files"]}

    routes = [{"match": {"prefix": "/x"}, "redirect": {}}]
    before, after = contents(shop()), contents(changed(f"{LISTENER}.routes", routes))
    assert {path for path in before if before[path] != after[path]} == {"edge/routes/http.yaml"}
    # Validation does not read watched files, so the candidate has the routes inline.
    [check] = [one for one in plan(shop())["checks"] if one["name"] == "edge"]
    assert "route_config:" in check["files"][0]["content"]
    assert "path_config_source" not in check["files"][0]["content"].partition("transport_socket")[0]
    assert "edge/routes/http.yaml" in check["validated_files"]


def test_pods_with_another_file_of_routes_are_new(plan: Planner) -> None:
    """Running pods keep their files: a projected volume names each of them."""
    base, more = shop(), changed("proxies.edge.listeners.more", {"port": 9080, "routes": []})
    for data in (base, more):
        del data["statsd_exporter"]  # of dog_statsd, which pods cannot reach
    assert digests(plan(base, "kubernetes"))["edge"] != digests(plan(more, "kubernetes"))["edge"]
    assert digests(plan(base, "docker"))["edge"] == digests(plan(more, "docker"))["edge"]


def test_first_certificate_is_a_new_file(plan: Planner) -> None:
    data = shop()
    del data["proxies"]["edge"]["listeners"]["https"]["tls"]
    without, certified = plan(data), plan(shop())
    assert without["certificates"] == []
    assert digests(without)["edge"] == digests(certified)["edge"]
    assert digests(without)["web-1-envoy"] == digests(certified)["web-1-envoy"]
    names = {file["path"] for file in certified["files"]} - {file["path"] for file in without["files"]}
    assert names == {"edge/secrets/tls_certificate.yaml", "edge/secrets/validation_context.yaml"}


def test_certificate_has_the_names_of_its_proxy(plan: Planner) -> None:
    data = changed("services.web.sidecar", {"listeners": {"in": {"port": 9443, "tls": {}}}})
    del data["statsd_exporter"]
    found = {one["path"]: one for one in plan(data, "docker", bind="192.0.2.1")["certificates"]}
    assert set(found) == {"edge/certs", "web-1/certs", "web-2/certs"}
    assert found["web-1/certs"]["names"] == ["web", "web-1", "localhost"]
    assert found["edge/certs"]["names"] == ["edge", "localhost"]
    assert found["edge/certs"]["addresses"] == ["127.0.0.1", "192.0.2.1"]
