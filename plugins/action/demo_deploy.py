# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of demo_deploy: runs in this process on localhost, and sends other hosts only what they use of a plan."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import (
    cached_imports,
    plugin_imports,
)

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import counted
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
    from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.change_report import change_lines
    from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import (
        ARGUMENTS,
        perform,
        used_part,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.sensitive_plan import sensitive_paths
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._envoy_suggestions import with_suggestions
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._failed_results import short_result
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import LocalExecutionAction
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._run_reports import (
        chosen_forms,
        result_of,
        without_report_options,
        write_run,
    )


class ActionModule(LocalExecutionAction):
    """The action of the module of the same name."""

    arguments = ARGUMENTS
    perform = staticmethod(perform)

    @cached_imports()
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result; of a failure, what runs and what does not."""
        chosen_forms(self._task.args)
        result = with_suggestions(super().run(tmp, task_vars))
        if self._task.args.get("state") != "absent":
            name = str((self._task.args.get("plan") or {}).get("name"))
            for line in change_lines(name, result, bool(self._task.check_mode)):
                self._display.display(printable(line))
        # No verification follows a change that failed under its traffic.
        if result.get("failed") and result.get("traffic"):
            plan = self._task.args["plan"]
            for url in write_run(self, result_of(self, plan, {}, result, task_vars)):
                self._display.display(printable(f"{plan['name']}: report {url}"))
        return short_result(result, ("started", "restarted", "removed"), Display().verbosity)

    def further_arguments(self) -> dict[str, Any]:
        """Return what prints an interruption before anything changes, and what shows the progress."""

        def warn(text: str) -> None:
            self._display.warning(printable(text))

        shown = self.shown
        if shown is None:
            return {"announce": warn}
        return {"announce": lambda text: shown.above(lambda: warn(text)), "progress": shown.update}

    def progress_title(self) -> str:
        """Return the name of the demo."""
        plan = self._task.args.get("plan")
        return str((plan.get("name") if isinstance(plan, dict) else self._task.args.get("name")) or "")

    def host_text(self) -> str:
        """Return how many workloads are deployed."""
        if self._task.args.get("state") == "absent":
            return "removing the demo"
        return f"deploying {counted(len(self._task.args['plan'].get('workloads') or ()), 'workload')}"

    def sent_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options without the keys of the plan that a deployment does not use, such as traffic and assertions."""
        plan = options.get("plan")
        options = without_report_options(options)
        return {**options, "plan": used_part(plan)} if isinstance(plan, dict) else options

    def is_sensitive(self, options: dict[str, Any]) -> bool:
        """Return whether the plan has sensitive files."""
        plan = options.get("plan")
        return isinstance(plan, dict) and bool(sensitive_paths(plan))
