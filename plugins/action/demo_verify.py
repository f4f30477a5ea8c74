# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action: sends only what the module needs to the host, and prints its answer as a report."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.meshlab.envoy.plugins.module_utils.verify.report import report

NEEDED = ("endpoints", "traffic", "assertions")


class ActionModule(ActionBase):
    """Runs the module of the same name."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        plan = self._task.args.get("plan")
        if not isinstance(plan, dict) or not set(NEEDED) <= set(plan):
            return {**result, "failed": True, "msg": "plan: must be what meshlab.envoy.demo_plan answered"}
        arguments = {**self._task.args, "plan": {key: plan[key] for key in NEEDED}}
        result |= self._execute_module(module_args=arguments, task_vars=task_vars)
        if result.get("traffic") or result.get("assertions"):
            Display().display("\n".join(report(plan, result)))
        return result
