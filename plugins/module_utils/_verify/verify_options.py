# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""demo_verify as a function: its options in, its result out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.deployed_change import hint
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.report import failures, summary
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verification_run import (
    Experiment,
    verify,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

ARGUMENTS: dict[str, dict[str, Any]] = {
    "plan": {"type": "dict", "required": True},
    "timeout": {"type": "float", "default": 15.0},
    "sleep": {"type": "float", "default": 0.1},
    **CLUSTER_ARGS,
}
# What of a plan is verified.
NEEDED = ("endpoints", "traffic", "assertions")
NOTHING: dict[str, Any] = {"changed": False, "traffic": [], "assertions": [], "endpoints": [], "elapsed": 0.0}


def perform(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the result; `failed` is in it where an expectation does not hold or the plan cannot be meant."""
    plan = options["plan"]
    missing = [key for key in NEEDED if key not in plan]
    if missing:
        return {
            **NOTHING,
            "failed": True,
            "msg": f"plan: has no {missing[0]}; give what meshlab.envoy.demo_plan answered",
        }
    access = _access(plan, options.get("cluster"))
    experiment = Experiment(
        plan["endpoints"], plan["traffic"], plan["assertions"], access, plan.get("admins") or ()
    )
    try:
        if check_mode:
            experiment.parsed()
            return {**NOTHING, "msg": "Check mode: nothing was sent."}
        result = {"changed": False, **verify(experiment, options["timeout"], options["sleep"])}
    except ValueError as error:
        return {**NOTHING, "failed": True, "msg": str(error)}
    finally:
        if access is not None:
            access.close()
    failed = failures(result)
    message = "\n".join(filter(None, [summary(result), *failed, hint(plan) if failed else ""]))
    return {**result, "msg": message, "failed": True} if failed else {**result, "msg": message}


def _access(plan: dict[str, Any], cluster: dict[str, Any] | None) -> PodAccess | None:
    """What leads to the cluster where a plan has pods; one for all, so that it is connected to once."""
    if not any(one.get("selector") for one in plan["endpoints"]) and not any(
        one.get("pod") for one in plan["traffic"]
    ):
        return None
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

    return PodAccess(cluster)
