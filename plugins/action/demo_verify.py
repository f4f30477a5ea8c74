# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action: verifies a demo, and prints the answer as a report."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.meshlab.envoy.plugins.module_utils._verify.deployed_change import watched
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.report import report
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import (
    ARGUMENTS,
    NEEDED,
    perform,
)
from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import LocalExecutionAction


class ActionModule(LocalExecutionAction):
    """Runs the module of the same name."""

    arguments = ARGUMENTS
    perform = staticmethod(perform)

    def sent_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Of a plan, its workloads and what nobody watches stay here."""
        plan = options.get("plan")
        if isinstance(plan, dict):
            options["plan"] = {key: plan[key] for key in (*NEEDED, "admins") if key in plan} | watched(plan)
        return options

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if result.get("traffic") or result.get("assertions"):
            Display().display("\n".join(report(self._task.args["plan"], result)))
        return result
