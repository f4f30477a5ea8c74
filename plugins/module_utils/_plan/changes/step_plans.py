# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of a change with steps, which are deployed one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import Variant
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan


def plan_steps(
    data: Any, context: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Plan]
) -> tuple[Plan, list[Plan]]:
    """Return the plan of a demo with its change, and the plans of the steps of this change.

    All of them are made before the first one is deployed, so that a mistake in the last step is found in time. Each continues from
    what the previous one leaves.

    Args:
        data: Content of the demo file.
        context: The planning context.
        make: Returns the plan for a context.
    """
    plan = make(context)  # checks the demo
    variant = Variant.of(str(context.get("change") or ""))
    if not variant.change:
        return plan, []
    number = variant.step or len(data["changes"][variant.change].get("steps") or ())
    steps: list[Plan] = []
    for step in range(1, number + 1):
        record = {"deployed": steps[-1]["deployed"]} if steps else {}
        steps.append(make({**context, **record, "change": Variant(variant.change, step).text}))
    if not steps:
        return plan, []
    whole = make({**context, "deployed": steps[-1]["deployed"]})
    # The traffic of the change flows during its steps. What a rollback returns to is older than these.
    return cast(Plan, {**whole, "during": [], "previous": plan["previous"]}), steps
