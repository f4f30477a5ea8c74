# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of generations: a workload is replaced exactly if something changes that it reads only at start."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from plan_queries import workload_of

Planner = Callable[..., dict[str, Any]]

ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
DEMO: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {"web": {"app": {}, "sidecar": {}, "replicas": 2}, "bare": {"app": {}}},
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "publish": 18080, "routes": ROUTES}},
            "clusters": {"web": {"to": "web"}},
        }
    },
}
ALL = ["edge", "web-1-envoy", "web-2-envoy"]


def changed(path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(DEMO)
    *parents, last = path.split(".")
    mapping: Any = data
    for key in parents:
        mapping = mapping.setdefault(key, {})
    mapping[last] = value
    return data


@pytest.mark.parametrize("platform", ["local", "docker"])
@pytest.mark.parametrize(
    ("path", "value", "replaced"),
    [
        ("proxies.edge.concurrency", 2, ["edge"]),
        ("proxies.edge.stats_config", {"stats_tags": []}, ["edge"]),
        ("proxies.edge.bootstrap", {"flags_path": "/flags"}, ["edge"]),
        ("proxies.edge.environment", {"A": "1"}, ["edge"]),
        ("services.web.sidecar.concurrency", 2, ["web-1-envoy", "web-2-envoy"]),
        ("services.web.app.environment", {"A": "1"}, ["web-1", "web-2"]),
        # Changed live
        ("proxies.edge.log_level", "debug", []),
        ("proxies.edge.listeners.http.routes", [], []),
        ("proxies.edge.listeners.inner", {"port": 8081, "routes": ROUTES}, []),
        ("proxies.edge.clusters.bare", {"to": "bare"}, []),
        ("services.web.replicas", 3, []),
        ("services.new", {"app": {}, "sidecar": {}}, []),
        ("proxies.gate", {"listeners": {"http": {"port": 8090, "routes": []}}}, []),
    ],
)
def test_change_replaces_what_reads_it_at_start(
    plan: Planner, platform: str, path: str, value: Any, replaced: list[str]
) -> None:
    before = plan(DEMO, platform)
    after = plan(changed(path, value), platform, deployed=before["deployed"])
    assert [one["workload"] for one in after["replaced"]] == replaced
    for name in before["deployed"]["workloads"]:
        assert workload_of(after, name)["generation"] == (name in replaced)
    # The next deployment of the same demo replaces nothing.
    again = plan(changed(path, value), platform, deployed=after["deployed"])
    assert again["workloads"] == after["workloads"]
    assert again["replaced"] == []


def test_version_of_envoy_replaces_all_proxies(plan: Planner) -> None:
    before = plan(DEMO)
    after = plan(
        DEMO,
        deployed=before["deployed"],
        envoy={"version": "1.39.3", "executable": "envoy-1.39", "image": "x"},
    )
    assert sorted(one["workload"] for one in after["replaced"]) == ALL
    assert {one["how"] for one in after["replaced"]} == {"hot_restart"}
    assert after["interruptions"] == []


def test_epoch_is_the_generation_and_the_base_id_stays(plan: Planner) -> None:
    before = plan(DEMO)
    record = before["deployed"]
    after = plan(changed("proxies.edge.concurrency", 2), deployed=record)
    again = plan(changed("proxies.edge.concurrency", 3), deployed=after["deployed"])
    for number, planned in enumerate((before, after, again)):
        command = workload_of(planned, "edge")["command"]
        options = dict(pairwise(command))
        assert options["--restart-epoch"] == str(number)
        assert options["--base-id"] == str(record["ports"]["edge/hot-restart"])
        assert "--disable-hot-restart" not in command
    ids = [number for key, number in record["ports"].items() if key.endswith("/hot-restart")]
    assert len(set(ids)) == 3


def test_pods_restart_by_a_rollout(plan: Planner) -> None:
    before = plan(DEMO, "kubernetes")
    after = plan(changed("proxies.edge.log_level", "debug"), "kubernetes", deployed=before["deployed"])
    assert after["replaced"] == [{"workload": "edge", "how": "rollout"}]
    assert workload_of(after, "edge")["generation"] == 0
    assert "--disable-hot-restart" in workload_of(after, "edge")["command"]
