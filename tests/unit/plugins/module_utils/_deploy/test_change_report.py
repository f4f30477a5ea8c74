# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lines that a deployment prints about what it replaced, and about the traffic meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.change_report import change_lines

REPLACED = {"edge": "hot_restart", "web-1": "overlap", "web-2": "overlap", "redis-1": "stop"}
RESULT: dict[str, Any] = {
    "started": ["new-1"],
    "restarted": ["edge", "old", "redis-1", "web-1", "web-2"],
    "removed": ["gone-1"],
    "replaced": REPLACED,
}


def test_lines_name_each_workload_and_how_it_is_replaced() -> None:
    assert change_lines("shop", RESULT, check_mode=False) == [
        "shop: replaced (hot restart): edge",
        "shop: replaced (the new one serves before the old one stops): web-1, web-2",
        "shop: replaced (the old one stops first, so requests can fail): redis-1",
        "shop: restarted: old",
        "shop: started: new-1",
        "shop: removed: gone-1",
    ]


def test_prediction_is_marked() -> None:
    [line] = change_lines(
        "shop", {"replaced": {"edge": "hot_restart"}, "restarted": ["edge"]}, check_mode=True
    )
    assert line == "shop: would be replaced (hot restart): edge"


@pytest.mark.parametrize("result", [{}, {"started": ["web-1", "edge"], "failed": True}])
def test_first_deployment_prints_nothing(result: dict[str, Any]) -> None:
    assert change_lines("shop", result, check_mode=False) == []


def test_traffic_during_the_change_is_printed() -> None:
    outcome = {"ok": True, "message": "expected 1, got 1"}
    traffic = {"name": "all requests", "sent": 20, "answered": 20, "expect": [outcome]}
    assert change_lines("shop", {"traffic": [traffic]}, check_mode=False) == [
        "shop: all requests: 1 expectation holds: 20 requests sent, 20 answered."
    ]
