# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the plans of a change with steps: all are made at once, and each continues from the previous one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.changes.step_plans import plan_steps

STEPS = [{"summary": "first"}, {"summary": "second"}]
DATA = {"changes": {"advance": {"steps": STEPS}, "half": {}}}


def make(context: Mapping[str, Any]) -> Any:
    """Return a plan with its input, and with a record that it leaves."""
    return {
        "made": dict(context),
        "deployed": {"after": context.get("change", "")},
        "during": ["requests"],
        "previous": context["deployed"]["after"],
    }


def made(change: str) -> tuple[Any, list[Any]]:
    plan, steps = plan_steps(DATA, {"change": change, "deployed": {"after": "nothing"}}, make)
    return plan, [one["made"] for one in steps]


@pytest.mark.parametrize("change", ["", "half"])
def test_change_without_steps_has_one_plan(change: str) -> None:
    plan, steps = made(change)
    assert steps == []
    assert plan["made"] == {"change": change, "deployed": {"after": "nothing"}}
    assert plan["during"] == ["requests"]


def test_each_step_continues_from_the_previous_one() -> None:
    plan, steps = made("advance")
    assert steps == [
        {"change": "advance/1", "deployed": {"after": "nothing"}},
        {"change": "advance/2", "deployed": {"after": "advance/1"}},
    ]
    assert plan["made"] == {"change": "advance", "deployed": {"after": "advance/2"}}


def test_traffic_flows_in_the_steps_only() -> None:
    assert made("advance")[0]["during"] == []


def test_first_steps_of_a_change_are_planned() -> None:
    plan, steps = made("advance/1")
    assert [one["change"] for one in steps] == ["advance/1"]
    assert plan["made"]["change"] == "advance/1"


def test_rollback_returns_to_the_state_before_the_first_step() -> None:
    assert made("advance")[0]["previous"] == "nothing"
