# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action demo_verify: verifies a demo and prints a report."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import (
    cached_imports,
    plugin_imports,
)

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import counted
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.terminal_report import terminal_report
    from ansible_collections.meshlab.envoy.plugins.module_utils._verify.deployed_change import live_files
    from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_message import shortened
    from ansible_collections.meshlab.envoy.plugins.module_utils._verify.planned_observer import observed_part
    from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import (
        ARGUMENTS,
        REQUIRED_KEYS,
        perform,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._failed_results import VERBOSITY, short_result
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._live_lines import LiveLines
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import LocalExecutionAction
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._run_reports import (
        chosen_forms,
        result_of,
        without_report_options,
        write_run,
    )


class ActionModule(LocalExecutionAction):
    """Runs the module demo_verify and prints the report."""

    arguments = ARGUMENTS
    perform = staticmethod(perform)

    def sent_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options for the managed host; its plan has only the keys that the module reads."""
        # An empty list: no report is written, so the module does not wait for the numbers that only a report shows.
        without = {"result_formats": []} if not chosen_forms(options) else {}
        options = without_report_options(options) | without
        options.pop("deployment", None)
        plan = options.get("plan")
        if isinstance(plan, dict):
            keys = (*REQUIRED_KEYS, "admins", "change")
            options["plan"] = (
                {key: plan[key] for key in keys if key in plan} | live_files(plan) | observed_part(plan)
            )
        return options

    def further_arguments(self) -> dict[str, Any]:
        """Return what shows the progress, and what shows the counts of each traffic while it flows."""
        if self.shown is None:
            return {}
        is_live = boolean(self._task.args.get("live", False))
        follow = {"follow": LiveLines(self.shown.update)} if is_live else {}
        return {"progress": self.shown.update, **follow}

    def progress_title(self) -> str:
        """Return the name of the demo."""
        plan = self._task.args.get("plan")
        return str(plan.get("name") or "") if isinstance(plan, dict) else ""

    def host_text(self) -> str:
        """Return what is sent and expected."""
        plan = self._task.args["plan"]
        assertions = len(plan.get("assertions") or ())
        return f"sending the traffic and checking {counted(assertions, 'assertion')}"

    @cached_imports()
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, without its details where Ansible would print them below the report."""
        chosen_forms(self._task.args)
        result = super().run(tmp, task_vars)
        if not result.get("traffic") and not result.get("assertions"):
            return result
        display = Display()
        deployed = self._task.args.get("deployment")
        run = result_of(self, self._task.args["plan"], result, deployed or None, task_vars)
        written = write_run(self, run)
        display.display(printable("\n".join(terminal_report(run, written))))
        if written:
            result["reports"] = written
        if not result.get("failed") or display.verbosity >= VERBOSITY:
            return result
        # A later task can read the details only if they are registered: those of the failures.
        failures = {
            "traffic": [
                one for one in result.get("traffic") or [] if not all(each["ok"] for each in one["expect"])
            ],
            "assertions": [one for one in result.get("assertions") or [] if not one["ok"]],
        }
        kept = {**result, **failures} if self._task.register else result
        keys = ("elapsed", *(failures if self._task.register else ()))
        return {**short_result(kept, keys, display.verbosity), "msg": shortened(str(result["msg"]))}
