# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module demo_deploy as a function from its options to its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import expanded_path
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.report_options import REPORT_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import Variant
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment import deploy, teardown
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.plan_input import (
    IDENTITY,
    USED,
    check_plan,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.traffic_during import parsed_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
    as_sentence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import DEPLOYERS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Workload,
    WorkloadError,
    check_names,
    network_owner,
    ranks,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "plan": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    "platform": {"type": "str", "choices": list(DEPLOYERS)},
    "folder": {"type": "path"},
    "bind": {"type": "str", "default": "127.0.0.1"},
    "supervisord_executable": {"type": "path", "default": "supervisord"},
    **CLUSTER_ARGS,
    "timeout": {"type": "float", "default": 60},
    "confirm_timeout": {"type": "float", "default": 60},
    "drain_timeout": {"type": "float", "default": 10},
    **REPORT_ARGS,
}


def used_part(plan: Plan) -> dict[str, Any]:
    """Return the keys of a plan that a deployment uses; the action plugin sends only these to the host."""
    keys = (*IDENTITY, *USED, "change")
    return {key: value for key, value in plan.items() if key in keys}


def request_of(options: Mapping[str, Any], check_mode: bool) -> DeployRequest:
    """Return the request that the module's options describe.

    Args:
        options: The module's options, as ARGUMENTS has them.
        check_mode: Whether to change nothing.

    Raises:
        ArgumentError: `plan`, or one of `name`, `platform` and `folder`, is missing; or the plan has a wrong key or value.
        ConfigRefused: Two files have the same path, or a path leaves the folder.
        WorkloadError: A workload has a wrong value, or refers to a workload that does not exist or to itself.
    """
    is_present = options["state"] == "present"
    plan = options.get("plan")
    if plan is None:
        if is_present:
            raise ArgumentError("plan", "is missing. Set it to a plan of meshlab.envoy.demo_plan")
        plan = {key: options.get(key) for key in IDENTITY}
        for key, value in plan.items():
            if not value:
                raise ArgumentError(
                    key, f"is missing. Without a plan, state=absent needs {', '.join(IDENTITY)}"
                )
    else:
        check_plan(plan)
        if plan["platform"] not in DEPLOYERS:
            raise ArgumentError(
                "plan.platform", f"expected one of {', '.join(DEPLOYERS)}, got {plan['platform']}"
            )
    plan = plan if is_present else {key: plan[key] for key in IDENTITY}
    workloads = tuple(Workload.from_dict(entry) for entry in plan.get("workloads") or ())
    _check_references(workloads)
    return DeployRequest(
        name=plan["name"],
        platform=plan["platform"],
        folder=Path(expanded_path(plan["folder"])),
        files=DesiredFiles.from_plan(plan),
        workloads=workloads,
        admins=tuple(plan.get("admins") or ()),
        manifests=tuple(plan.get("manifests") or ()),
        cluster=options.get("cluster") or {},
        bind=options["bind"],
        supervisord=options["supervisord_executable"],
        timeout=options["timeout"],
        confirm_timeout=options["confirm_timeout"],
        drain_timeout=options["drain_timeout"],
        check_mode=check_mode,
        during=tuple(plan.get("during") or ()),
        change=str(plan.get("change") or ""),
    )


def _check_references(workloads: tuple[Workload, ...]) -> None:
    """Raise WorkloadError now for what would otherwise fail in the middle of a deployment."""
    check_names(workloads)
    ranks(workloads)
    for workload in workloads:
        network_owner(workload, workloads)


def _deploy_under_traffic(request: DeployRequest, result: DeployResult) -> None:
    """Deploy while the traffic of a change flows. Check mode sends no request."""
    if not request.during or request.check_mode:
        deploy(request, result)
        return
    with parsed_traffic(request.during, request.cluster) as traffic:
        try:
            request.progress("waiting for the first response of the traffic")
            with traffic.flowing():
                deploy(request, result)
                request.progress("sending the traffic of the change to its end")
        finally:
            result.traffic = [dict(one) for one in traffic.results]


def failed_expectations(traffic: Sequence[Mapping[str, Any]], change: str) -> str:
    """Return the message about expectations of the traffic during a deployment that failed; empty if all hold."""
    outcomes = [outcome for one in traffic for outcome in one["expect"]]
    failed = [f"✘ {outcome['message']}" for outcome in outcomes if not outcome["ok"]]
    if not failed:
        return ""
    return "\n".join(
        [f"{Variant.of(change).where}.during: {len(failed)} of {len(outcomes)} expectations failed.", *failed]
    )


def perform(
    options: Mapping[str, Any],
    check_mode: bool,
    announce: Callable[[str], None] | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return the module's result with a diff. After an error it has `failed` and `msg` too.

    Args:
        options: The options of the module.
        check_mode: Whether to change nothing and predict the result.
        announce: Prints a warning before anything changes. None: the warnings are in the result only.
        progress: Receives what the deployment does or waits for.
    """
    result = DeployResult()
    message = ""
    try:
        request = replace(request_of(options, check_mode), announce=announce, progress=progress)
        if options["state"] == "absent":
            teardown(request, result)
        else:
            _deploy_under_traffic(request, result)
        message = failed_expectations(result.traffic, request.change)
    except (PlatformRefused, ArgumentError, WorkloadError) as error:
        message = f"{as_sentence(error)} Nothing was changed."
    except (ConfigRefused, PlatformFailed) as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or 'This host'}: {error_text(error)}. Correct that and run again."
    except Exception as error:
        message = f"Internal error of meshlab.envoy, please report it: {type(error).__name__}: {error}"
    answer = asdict(result)
    if message:
        # Files that were written and workloads that were started stay; the next run continues from there.
        answer["changed"] = result.changed and bool({"write", "start"} & {*result.seconds})
        answer |= {"failed": True, "msg": message}
    return answer
