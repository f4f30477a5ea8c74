# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action demo_plan: reads a demo file and plans it, on the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context


class ActionModule(ActionBase):
    """Return the plan of a demo as the result of the task."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the plan, or a failure with the error of the demo."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "name": {"type": "str", "required": True},
                "path": {"type": "str"},
                "data": {"type": "dict"},
                "source": {"type": "str"},
                "context": {"type": "dict", "required": True},
            },
            required_one_of=[("path", "data")],
            mutually_exclusive=[("path", "data")],
        )
        source = options["source"] or Path(options["path"] or options["name"]).name
        try:
            data = read_file(Path(options["path"])) if options["path"] else options["data"]
            plan = make_plan(options["name"], data, complete_context(options["context"]), source)
        except ValueError as error:
            return {**result, "failed": True, "msg": to_text(error)}
        return {**result, **plan, "changed": False}


def read_file(path: Path) -> Any:
    """Return the content of a demo file. Raises DemoError if the file is missing, cannot be read or is not YAML."""
    try:
        return yaml.safe_load(path.expanduser().read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = sorted(one.stem for one in path.expanduser().parent.glob("*.yml"))
        raise DemoError(str(path), unknown_name("demo", path.stem, known)) from None
    except OSError as error:
        raise DemoError(
            str(path), f"cannot be read: {error.strerror}. Correct the path or its permissions."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}, line {mark.line + 1}" if mark else path.name
        raise DemoError(where, f"invalid YAML: {getattr(error, 'problem', None) or error}") from error
