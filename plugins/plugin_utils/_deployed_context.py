# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner takes from the host of a deployment. Private to this collection: it can change at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment_info import perform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import (
    PLANNERS,
    platform_class,
)
from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import runs_in_place

KEYS = ("deployed", "used_ports", "free_block", "migrates_connections")


class HostUnreadable(Exception):
    """The host has no readable record. `result` is the result of module deployment_info."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(str(result.get("msg")))
        self.result = result


def deployed_context(
    action: ActionBase, context: Mapping[str, Any], task_vars: dict[str, Any] | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the context with the record of its folder and the ports of the host, and the names of the missing programs.

    A context that states a record stays as it is, and its host is not read: all programs are missing.

    Raises:
        HostUnreadable: The record has a wrong value, or this user cannot read it.
    """
    folder = context.get("folder")
    programs = host_programs(context)
    if context.get("deployed") is not None or not isinstance(folder, str) or not folder:
        return dict(context), [one["name"] for one in programs]
    options = {"folder": folder, "programs": programs, "cache": str(context.get("cache") or "")}
    if runs_in_place(action):
        found = perform(options, check_mode=action._task.check_mode)
    else:
        found = dict(
            action._execute_module("meshlab.envoy.deployment_info", module_args=options, task_vars=task_vars)
        )
    if found.get("failed") or found.get("unreachable"):
        raise HostUnreadable(found)
    return {**context, **{key: found[key] for key in KEYS}}, list(found["missing_programs"])


def host_programs(context: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the programs that a platform runs on the host itself: name, executable and version."""
    platform = str(context.get("platform"))
    # The planner refuses an unknown platform, and a program that is no mapping.
    names = platform_class(platform).host_programs if platform in PLANNERS else ()
    programs = []
    for name in names:
        value = context.get(name)
        stated = value if isinstance(value, Mapping) else {}
        texts = {key: str(stated.get(key) or "") for key in ("executable", "version")}
        # A program that the context does not name, such as openssl, is in PATH.
        programs.append({"name": name, **texts, **({} if stated else {"executable": name})})
    return programs
