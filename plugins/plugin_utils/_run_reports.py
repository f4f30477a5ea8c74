# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the result of a run on the controller, and write its reports."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import release
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
from ansible_collections.meshlab.envoy.plugins.module_utils._common.report_options import (
    DEFAULT_FORMS,
    FORMS,
    REPORT_ARGS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import Variant
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_files import (
    default_folder,
    shown_path,
    write_reports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import RunResult
from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result

Entry = Mapping[str, Any]


def result_of(
    action: ActionBase,
    plan: Entry,
    verified: Entry,
    deployed: Entry | None,
    task_vars: dict[str, Any] | None,
) -> RunResult:
    """Return the result of a run.

    Args:
        action: The action, whose options name the demo file.
        plan: The plan.
        verified: The result of demo_verify.
        deployed: The result of demo_deploy. None: it is unknown.
        task_vars: Variables of the task, which name the inventory and the demo.
    """
    versions = {"ansible-core": release.__version__, "Python": platform.python_version()}
    # A result without a change is that of an earlier deployment, of which the report shows nothing.
    is_known = deployed is not None and "seconds" in deployed
    return run_result(
        plan,
        verified,
        deployed if is_known else None,
        _demo_text(action),
        versions,
        _commands(str(plan.get("change") or ""), task_vars or {}),
    )


def chosen_forms(options: Entry) -> list[str]:
    """Return the forms that the options of a task name. Raises AnsibleActionFail for an unknown one."""
    forms = options.get("result_formats")
    if isinstance(forms, str):
        forms = [one.strip() for one in forms.split(",") if one.strip()]
    for one in forms or ():
        if one not in FORMS:
            raise AnsibleActionFail(
                printable(
                    f"result_formats: expected one of {', '.join(FORMS)}, got '{one}'. Correct demo_result_formats."
                )
            )
    return list(DEFAULT_FORMS if forms is None else forms)


def write_run(action: ActionBase, result: RunResult) -> list[str]:
    """Write the reports of a result, and return their URLs. A report that cannot be written is a warning."""
    options = action._task.args
    forms = chosen_forms(options)
    folder = options.get("reports_folder")
    try:
        paths = write_reports(result, forms, Path(folder).expanduser() if folder else default_folder())
    except OSError as error:
        action._display.warning(
            printable(
                f"{error.filename or 'reports_folder'}: the report was not written: {error_text(error)}."
                " Correct that, or set demo_reports_folder to another folder."
            )
        )
        return []
    return [shown_path(path) for path in paths]


def without_report_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options without those that only the controller uses."""
    return {key: value for key, value in options.items() if key not in REPORT_ARGS}


def _demo_text(action: ActionBase) -> str:
    path = action._task.args.get("demo_file")
    if not path:
        return ""
    try:
        return Path(action._loader.path_dwim(str(path))).read_text(encoding="utf-8", errors="replace")
    except OSError:  # the demo was given as data
        return ""


def _commands(change: str, task_vars: Mapping[str, Any]) -> list[str]:
    """Return the command that repeats the run; none if the playbook is not one of the collection."""
    demo = task_vars.get("demo")
    if not isinstance(demo, str):
        return []
    name = Variant.of(change).change
    playbook, extra = ("change", f" -e change={name}") if name else ("site", "")
    load = {key: task_vars[key] for key in ("load_to", "load_rate", "load_for") if key in task_vars}
    if load:
        playbook, extra = "load", "".join(f" -e {key}={value}" for key, value in load.items())
    inventories = task_vars.get("ansible_inventory_sources") or []
    sources = "".join(f" -i {source}" for source in inventories if isinstance(source, str))
    return [f"ansible-playbook{sources} meshlab.envoy.{playbook} -e demo={demo}{extra}"]
