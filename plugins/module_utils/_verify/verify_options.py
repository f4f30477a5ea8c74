# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module demo_verify as a function of its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.report_options import REPORT_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import Variant
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import WorkloadError
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.deployed_change import change_hint
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_message import (
    failure_message,
    summary,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.logged_flags import FlagReader
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.planned_observer import observer_of
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verification_run import (
    Follow,
    Verification,
    verify,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan

ARGUMENTS: dict[str, dict[str, Any]] = {
    "plan": {"type": "dict", "required": True},
    "timeout": {"type": "float", "default": 15.0},
    "sleep": {"type": "float", "default": 0.1},
    "deployment": {"type": "dict"},
    "live": {"type": "bool", "default": False},
    **REPORT_ARGS,
    **CLUSTER_ARGS,
}
REQUIRED_KEYS = ("endpoints", "traffic", "assertions")  # of a plan
EMPTY_RESULT: dict[str, Any] = {
    "changed": False,
    "traffic": [],
    "assertions": [],
    "endpoints": [],
    "reasons": [],
    "clusters": [],
    "began": 0.0,
    "elapsed": 0.0,
}


def perform(
    options: dict[str, Any],
    check_mode: bool,
    progress: Progress = no_progress,
    follow: Follow | None = None,
) -> dict[str, Any]:
    """Verify a plan and return the module's result.

    Args:
        options: The module's options, those of ARGUMENTS.
        check_mode: Whether to check the plan without sending a request.
        progress: Receives what the verification does or waits for.
        follow: Follows each traffic while it flows.

    Returns:
        The result; `failed` is set where an expectation fails or the plan cannot be used.
    """
    plan: Plan = options["plan"]
    has_report = options.get("result_formats") != []
    missing = [key for key in REQUIRED_KEYS if key not in plan]
    if missing:
        return {
            **EMPTY_RESULT,
            "failed": True,
            "msg": f"plan: the key '{missing[0]}' is missing. Pass the plan that meshlab.envoy.demo_plan returns.",
        }
    access = _access(plan, options.get("cluster"))
    try:
        observer = observer_of(plan, access)
        verification = Verification(
            plan["endpoints"],
            plan["traffic"],
            plan["assertions"],
            access,
            plan.get("admins") or (),
            observer,
            plan.get("without_replicas") or (),
            plan.get("trust") or {},
            groups_of_proxies(plan),
            FlagReader(observer, workloads_of_groups(plan), targets_of_traffic(plan)),
        )
        if check_mode:
            verification.parse()
            return {**EMPTY_RESULT, "msg": "Check mode: no request was sent."}
        result: dict[str, Any] = {
            "changed": False,
            **verify(verification, options["timeout"], options["sleep"], progress, follow, has_report),
        }
    except (ArgumentError, WorkloadError) as error:
        return {**EMPTY_RESULT, "failed": True, "msg": str(error)}
    finally:
        if access is not None:
            access.close()
    message = failure_message(result)
    if not message:
        return {**result, "msg": summary(result)}
    where = f"{Variant.of(plan['change']).where}: " if plan.get("change") else ""
    return {**result, "msg": where + failure_message(result, change_hint(plan)), "failed": True}


def groups_of_proxies(plan: Plan) -> dict[str, str]:
    """Return the group of each proxy of a plan that has an admin interface."""
    groups = {workload["name"]: workload["group"] for workload in plan.get("workloads") or ()}
    return {
        admin["proxy"]: groups[admin["workload"]]
        for admin in plan.get("admins") or ()
        if groups.get(admin["workload"])
    }


def workloads_of_groups(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the workloads of the proxies in each group."""
    groups = groups_of_proxies(plan)
    found: dict[str, tuple[str, ...]] = {}
    for admin in plan.get("admins") or ():
        if group := groups.get(admin["proxy"]):
            found[group] = (*found.get(group, ()), admin["workload"])
    return found


def targets_of_traffic(plan: Plan) -> dict[str, str]:
    """Return the group that each traffic of a plan is sent to."""
    topology = plan.get("topology")
    return {name: target[0] for name, target in topology["traffic"].items()} if topology else {}


def _access(plan: Plan, cluster: dict[str, Any] | None) -> PodAccess | None:
    """Return the one access to the cluster where a plan selects pods, so that it is connected to once."""
    if not any(entry.get("selector") for entry in plan["endpoints"]) and not any(
        entry.get("pod") for entry in plan["traffic"]
    ):
        return None
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

    return PodAccess(cluster, keeps_connections=True)
