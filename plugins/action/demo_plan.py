# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action demo_plan: reads a demo file, and what its host records of the deployment, and plans the demo on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import (
    cached_imports,
    plugin_imports,
)

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import (
        printable,
        printable_result,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
    from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.missing_programs import (
        programs_to_provide,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.sensitive_plan import sensitive_paths
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.changes.step_plans import plan_steps
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.deployed.interruptions import (
        interruption_text,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_file import read_demo_file
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_values import ValueResolver
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._deployed_context import (
        HostUnreadable,
        deployed_context,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import checked_arguments
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._shared_authority import (
        with_issued_certificates,
    )
    from ansible_collections.meshlab.envoy.plugins.plugin_utils._worker_end import end_with_parent

HIDDEN = "(a value from Ansible Vault or a template)"


class ActionModule(ActionBase):
    """Return the plan of a demo as the result of the task."""

    _supports_check_mode = True

    @cached_imports()
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the plan, or a failure with the error of the demo."""
        end_with_parent()
        result: dict[str, Any] = super().run(tmp, task_vars)
        checked = checked_arguments(
            self,
            {
                "name": {"type": "str", "required": True},
                "path": {"type": "str"},
                "data": {"type": "dict"},
                "source": {"type": "str"},
                "authority": {"type": "path"},
                "context": {"type": "dict", "required": True},
                "provide": {"type": "list", "elements": "str", "default": []},
            },
            required_one_of=[("path", "data")],
            mutually_exclusive=[("path", "data")],
        )
        options = checked.validated_parameters
        file = options["source"] or Path(options["path"] or options["name"]).name
        source = DemoSource(read=lambda path: self._read(Path(self._loader.path_dwim(path))))
        try:
            data = options["data"]
            if options["path"]:
                resolver = ValueResolver(self._loader, self._templar)
                data, source = read_demo_file(Path(options["path"]), self._read, resolver)
            found, missing = deployed_context(self, options["context"], task_vars)
            context = complete_context(found)
            host = str((task_vars or {}).get("inventory_hostname") or "localhost")

            def make(context: Mapping[str, Any]) -> Plan:
                made = make_plan(options["name"], data, context, file, source=source)
                if not options["authority"]:
                    return made
                authority = Path(options["authority"])
                return with_issued_certificates(made, authority, host, bool(self._task.check_mode))

            plan, steps = plan_steps(data, context, make)
        except DemoError as error:
            message = with_line(error, source)
            for secret in source.secrets:
                message = message.replace(secret, HIDDEN) if secret else message
            return {**result, "failed": True, "msg": printable(to_text(message))}
        except HostUnreadable as error:
            return {**result, **printable_result(**error.result)}
        except (ValueError, ConfigRefused) as error:
            return {**result, "failed": True, "msg": printable(to_text(error))}
        for text in plan["replacements"]:
            self._display.display(printable(f"{options['name']}: {text}"))
        for text in dict.fromkeys(
            interruption_text(one) for made in (*steps, plan) for one in made["interruptions"]
        ):
            self._display.warning(printable(f"{options['name']}: {text}"))
        provided = {"to_provide": programs_to_provide(missing, options["provide"], plan)}
        # The registered plan is complete. Ansible prints and logs it only without secrets.
        hidden = {"_ansible_no_log": True} if any(sensitive_paths(one) for one in (plan, *steps)) else {}
        return {
            **result,
            **plan,
            **provided,
            "steps": [{**one, **provided} for one in steps],
            **hidden,
            "changed": False,
        }

    def _read(self, path: Path) -> bytes:
        """Return the content of a file, decrypted if ansible-vault encrypted it."""
        if not path.is_file():
            return path.read_bytes()  # raises the operating system's error
        decrypted = self._loader.get_real_file(str(path))
        try:
            return Path(decrypted).read_bytes()
        finally:
            self._loader.cleanup_tmp_file(decrypted)
