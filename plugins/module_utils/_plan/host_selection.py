# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a plan that one host deploys."""

from __future__ import annotations

from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan

# The keys of a plan whose entries name their host.
BY_HOST = ("files", "directories", "certificates", "checks", "workloads", "admins", "endpoints")


def plan_of_host(plan: Plan, host: str) -> Plan:
    """Return `plan` with the files, workloads and endpoints of one host. All other keys are unchanged.

    Args:
        plan: A plan.
        host: One of the names in its `hosts`.

    Raises:
        ValueError: The plan has no such host.

    Example:
        >>> workloads = [{"name": "web-1", "host": "a"}, {"name": "edge", "host": "b"}]
        >>> plan = {"hosts": ["a", "b"], **dict.fromkeys(BY_HOST, []), "workloads": workloads}
        >>> plan_of_host(plan, "b")["workloads"]
        [{'name': 'edge', 'host': 'b'}]
    """
    if host not in plan["hosts"]:
        raise ValueError(f"plan: {unknown_name('host', host, plan['hosts'])}")
    selected: dict[str, Any] = {
        key: [entry for entry in cast("dict[str, Any]", plan)[key] if entry["host"] == host]
        for key in BY_HOST
    }
    return cast(Plan, {**plan, **selected, "hosts": [host]})
