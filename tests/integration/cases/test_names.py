# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test listeners and clusters whose names only Envoy's rules allow, on each platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock, case_data

# What Envoy writes into stat names in place of a colon.
SANITIZED = str.maketrans(":", "_")


def named(block: PortBlock) -> Any:
    """Return the demos of the case as one: a listener and a cluster for each name, and the numbers of both."""
    data = case_data("09-cluster-names/1.yml", block)
    edge = data["proxies"]["edge"]
    [first] = edge["clusters"]
    names = [first]
    names += [
        name
        for number in (2, 3, 4)
        for name in case_data(f"09-cluster-names/{number}.yml", block)["proxies"]["edge"]["clusters"]
    ]
    names += ["x" * 200, "a:b", "with a blank/and a slash"]
    edge["clusters"] = {name: {"to": "web"} for name in names}
    edge["listeners"] = {
        name: {
            "port": block.first + 80 + position,
            "publish": block.first + 80 + position,
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": name}}],
        }
        for position, name in enumerate(names)
    }
    data["traffic"] = [
        {
            "name": name,
            "to": f"edge/{name}",
            "requests": 4,
            "expect": [{"status": "200", "op": "eq", "value": 4}],
        }
        for name in names
    ]
    data["expectations"] = [
        {"at": "edge", "stat": stat, "of": "delta", "op": "eq", "value": 4}
        for name in names
        for stat in (
            f"cluster.{name.translate(SANITIZED)}.upstream_rq_200",
            f"http.{name.translate(SANITIZED)}.downstream_rq_2xx",
        )
    ]
    return data


@pytest.mark.parametrize("platform", ["local", "docker", pytest.param("kubernetes", marks=pytest.mark.slow)])
def test_stats_are_found_under_envoys_names(
    block: PortBlock, deployment: Callable[[str], CaseDeployment], platform: str
) -> None:
    made = deployment(platform)
    assert made.failures(made.deploy(named(block))) == []


def test_name_with_a_colon_gets_a_hint(block: PortBlock, deployment: Callable[[str], CaseDeployment]) -> None:
    made = deployment("local")
    data = named(block)
    data["traffic"] = []
    data["expectations"] = [{"at": "edge", "stat": "cluster.a:b.upstream_rq_total", "op": "eq", "value": 0}]
    [failure] = made.failures(made.deploy(data), timeout=0.5)
    assert "Envoy replaces ':' by '_' in stat names: write cluster.a_b.upstream_rq_total." in failure
