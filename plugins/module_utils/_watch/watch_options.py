# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module demo_watch as a function of its options: one round on the host of the demo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import (
    DemoReader,
    envoy_entries,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

VIEWS = ("page", "terminal")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "plan": {"type": "dict", "required": True},
    "view": {"type": "str", "choices": list(VIEWS), "default": VIEWS[0]},
    "port": {"type": "int", "default": 0},
    "key": {"type": "str", "no_log": False},
    "interval": {"type": "float", "default": 2.0},
    "idle_timeout": {"type": "float", "default": 300.0},
    "duration": {"type": "float", "default": 14_400.0},
    "redraw": {"type": "bool", "default": False},
    **CLUSTER_ARGS,
}
READ_KEYS = ("name", "platform", "folder", "endpoints")  # of a plan, on the host


SHOWN_KEYS = (*READ_KEYS, "summary", "topology")  # of a plan, on the controller


def missing_key(plan: dict[str, Any], keys: Sequence[str] = READ_KEYS) -> str:
    """Return the message for a plan without a required key; empty if it has all of them."""
    missing = [key for key in keys if key not in plan]
    if not missing:
        return ""
    return f"plan: the key '{missing[0]}' is missing. Pass the plan that meshlab.envoy.demo_plan returns."


def pod_access(plan: dict[str, Any], cluster: dict[str, Any] | None) -> PodAccess | None:
    """Return the access to the cluster of a plan whose Envoys are in pods; None for any other plan."""
    if not any(one.get("selector") for one in plan["endpoints"]):
        return None
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

    return PodAccess(cluster)


def perform(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Read the Envoys of a plan once, and return the module's result.

    Args:
        options: The module's options, those of ARGUMENTS.
        check_mode: Whether to read nothing.
    """
    plan = options["plan"]
    message = missing_key(plan)
    if message:
        return {"failed": True, "msg": message}
    if check_mode:
        return {"changed": False, "msg": "Check mode: nothing was read."}
    access = pod_access(plan, options.get("cluster"))
    try:
        reader = DemoReader(plan, access)
        try:
            reading = reader.read()
        finally:
            reader.close()
    except ArgumentError as error:
        return {"failed": True, "msg": str(error)}
    finally:
        if access is not None:
            access.close()
    snapshot = reading.snapshot.as_data() if reading.snapshot else None
    return {"changed": False, "snapshot": snapshot, "deployment": reading.deployment}


def read_part(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a plan that the module reads on a host."""
    return {**{key: plan[key] for key in READ_KEYS}, "endpoints": envoy_entries(plan)}
