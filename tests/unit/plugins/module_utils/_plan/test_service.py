# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of a service."""

from __future__ import annotations

from typing import Any

from shop_demo import Planner, shop


def digests(plan: dict[str, Any]) -> dict[str, str]:
    return {workload["name"]: workload["digest"] for workload in plan["workloads"]}


def test_another_app_changes_only_digests_of_apps(plan: Planner) -> None:
    before, after = digests(plan(shop())), digests(plan(shop(), app="print('other')"))
    assert {name for name in before if before[name] != after[name]} == {"web-1", "web-2"}
