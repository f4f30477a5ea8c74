# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the topology in a plan: its boxes and arrows exist, and traffic leads to its listening port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.picture.plan_topology import topology_of

DEMOS = sorted((Path(__file__).resolve().parents[6] / "playbooks" / "demos").glob("*.yml"))


def loaded(path: Path) -> dict[str, Any]:
    return read_demo(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")))


def clusters_without_target(demo: dict[str, Any]) -> set[tuple[str, str]]:
    proxies = {group: topology.proxy_of(demo, group) for group in [*demo["proxies"], *demo["services"]]}
    return {
        (group, name)
        for group, proxy in proxies.items()
        for name, spec in (proxy or {"clusters": {}})["clusters"].items()
        if not spec["address"] and not list(topology.cluster_targets(spec))
    }


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_arrows_and_traffic_end_at_rows_of_boxes(path: Path) -> None:
    demo = loaded(path)
    picture = topology_of(demo, demo["traffic"])
    listens = {
        (box["name"], row) for box in picture["boxes"] for part in box["parts"] for row in part["listens"]
    }
    talks = {(box["name"], row) for box in picture["boxes"] for part in box["parts"] for row in part["talks"]}
    arrows = {(one["source"][0], one["source"][1]) for one in picture["arrows"]}
    assert arrows <= talks
    # An author's cluster has its endpoints in Envoy's own fields, or finds them by the request.
    assert {row for row in talks - arrows if row not in clusters_without_target(demo)} == set()
    assert {(one["target"][0], one["target"][1]) for one in picture["arrows"]} <= listens
    sent = {str(one.get("name") or one["to"]) for one in demo["traffic"] if not one["to"].endswith("/admin")}
    assert set(picture["traffic"]) == sent
    assert {tuple(one) for one in picture["traffic"].values()} <= listens


def test_traffic_to_a_proxy_leads_to_its_first_listener() -> None:
    routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
    listeners = {
        "http": {"port": 8080, "publish": 8000, "routes": routes},
        "second": {"port": 8081, "routes": routes},
    }
    demo = read_demo(
        "shop",
        {"summary": "A shop", "ports": 20000, "services": {}, "proxies": {"edge": {"listeners": listeners}}},
    )
    picture = topology_of(demo, [{"to": "edge"}, {"name": "other", "to": "edge/second"}])
    assert picture["traffic"] == {"edge": ["edge", "http"], "other": ["edge", "second"]}
