# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observer of the demo that a plan describes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import expanded_path
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo, Observer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observers import observer_class
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan

# The keys of a workload that an observer uses. The environment can contain secrets, which a host that verifies does not need.
WORKLOAD_KEYS = (
    "name",
    "generation",
    "command",
    "probe",
    "ports",
    "network",
    "hostname",
    "group",
    "container",
    "replicas",
)


def observed_part(plan: Plan) -> dict[str, Any]:
    """Return the keys of a plan that an observer uses; the action plugin sends only these to the host."""
    found: dict[str, Any] = {
        key: value
        for key, value in plan.items()
        if key in ("name", "platform", "folder", "addresses", "without_replicas", "trust")
    }
    if plan.get("topology"):
        found["topology"] = {"traffic": plan["topology"]["traffic"]}
    found["workloads"] = [
        {key: value for key, value in workload.items() if key in WORKLOAD_KEYS}
        for workload in plan.get("workloads") or ()
    ]
    return found


def observer_of(plan: Plan, access: PodAccess | None) -> Observer | None:
    """Return the observer of a plan's demo, None if the plan has no workloads or its platform has no observer.

    Raises:
        WorkloadError: A workload has a wrong key or value.
    """
    part = observed_part(plan)
    observer = observer_class(str(part.get("platform")))
    if observer is None or not part["workloads"]:
        return None
    folder = expanded_path(str(part["folder"]))
    hosts = [urlsplit(address["url"]).hostname for address in part.get("addresses") or ()]
    return observer(
        DeployedDemo(
            name=str(part["name"]),
            folder=Path(os.path.realpath(folder)),
            workloads=tuple(Workload.from_dict(workload) for workload in part["workloads"]),
            bind=next(filter(None, hosts), "127.0.0.1"),
            access=access,
        )
    )
