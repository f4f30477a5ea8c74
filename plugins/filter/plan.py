# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a demo's data → its plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.module_utils.plan.plan import make_plan


def plan(data: Any, name: str, context: dict[str, Any], file: str = "") -> dict[str, Any]:
    """Return the plan of demo `name`, or end with one sentence that says what is wrong and where."""
    try:
        return make_plan(name, data, context, file)
    except ValueError as error:  # DemoError, UnsupportedVersion, WorkloadError
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's filter plugin interface."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan": plan}
