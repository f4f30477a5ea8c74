# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes, percentages and timers by plain statsd and by dog_statsd: the numbers of Envoy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock, case_data
from live import Home


def exported(histogram: str, op: str, value: Any) -> dict[str, Any]:
    """Return an expectation about the sum of a histogram of the cluster."""
    return {
        "at": "statsd_exporter",
        "stat": f"envoy_cluster_{histogram}_sum",
        "labels": {"envoy_cluster_name": "web"},
        "of": "delta",
        "across": "sum",
        "op": op,
        "value": value,
    }


@pytest.mark.parametrize("style", ["statsd", "dog_statsd"])
def test_histograms_have_their_units(
    block: PortBlock, deployment: Callable[[str], CaseDeployment], style: str
) -> None:
    data = case_data(f"06-statsd-sizes/{style}.yml", block)
    slow = case_data("06-statsd-sizes/percent.yml", block)["traffic"]
    data["traffic"] += slow
    data["expectations"] = [
        {"at": "edge", "stat": "cluster.web.upstream_rq_200", "of": "delta", "op": "eq", "value": 24},
        exported("upstream_rs_body_size", "eq", {"traffic": ["bodies", "slow"], "of": "bytes"}),
        # 4 requests of 500 ms, which are 5 % of the time limit of 10 s; a busy machine is slower.
        exported("upstream_rq_timeout_budget_percent_used", "between", [20, 2400]),
        exported("upstream_rq_time", "between", [2, 240]),
    ]
    home = Home("local")
    exporter = {"executable": home.exporter}
    home.close()
    made = deployment("local")
    assert made.failures(made.deploy(data, statsd_exporter=exporter), timeout=60) == []
