# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workloads whose requests can fail during a deployment, with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Interruption
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.service_replacement import (
    QUIET,
    Obstacle,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

# Of an instance whose network is replaced.
NEW_NETWORK = (
    "its published ports or its names change, so its network and all programs in it are replaced",
    "Publish ports at a proxy that no other change affects, or deploy it while no requests are sent.",
)


def interruptions(
    replaced: Iterable[Workload], record: DeploymentRecord, platform: Platform
) -> list[Interruption]:
    """Return the interruptions of a deployment.

    Args:
        replaced: The workloads that it replaces.
        record: The record that it leaves.
        platform: The platform with the demo and the record of the running deployment.
    """
    before = platform.context.deployed.networks
    found: list[Interruption] = [
        {"workload": workload.name, "reason": obstacle.reason, "remedy": obstacle.remedy}
        for workload in replaced
        if (obstacle := _obstacle(workload, record, platform))
    ]
    for name, network in record.networks.items():
        if before.get(name, network).digest != network.digest:
            reason, remedy = NEW_NETWORK
            found.append({"workload": platform.instance_of_network(name), "reason": reason, "remedy": remedy})
    return found


def _obstacle(workload: Workload, record: DeploymentRecord, platform: Platform) -> Obstacle | None:
    """Return why the replacement of a workload can lose requests, and the remedy."""
    if workload.replacement == "stop":
        return _stop_reason(workload, platform)
    before = platform.context.deployed.workloads[workload.name].threads
    after = record.workloads[workload.name].threads
    found = platform.fewer_threads_obstacle()
    if workload.replacement != "hot_restart" or after >= before or found is None:
        return None
    return found._replace(reason=f"it has {after} in place of {before} worker threads, {found.reason}")


def _stop_reason(workload: Workload, platform: Platform) -> Obstacle:
    is_app = workload.group in platform.demo["services"] and not workload.sidecar
    for instance in platform.instances(workload.group) if is_app else ():
        if instance.name == workload.name and (found := platform.service_obstacle(instance)):
            return found
    return platform.envoy_obstacle(workload) or Obstacle("its program cannot run twice", QUIET.capitalize())


def interruption_text(interruption: Interruption) -> str:
    """Return an interruption as a text for users.

    Example:
        >>> interruption_text({"workload": "web-1", "reason": "it publishes a port", "remedy": "Add a sidecar."})
        'requests to web-1 can fail during this deployment: it publishes a port. Add a sidecar.'
    """
    workload, reason, remedy = (interruption[key] for key in ("workload", "reason", "remedy"))
    return f"requests to {workload} can fail during this deployment: {reason}. {remedy}"
