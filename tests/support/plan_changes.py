# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to a plan of pods that no demo file can express: faults, and other options of pods."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any


def with_file_changed(plan: dict[str, Any], path: str, change: Callable[[str], str]) -> dict[str, Any]:
    """Return a plan with another text of one file, in the folder and in its ConfigMap. The validation checks the previous text."""
    new = copy.deepcopy(plan)
    folder, _slash, name = path.partition("/")
    for file in new["files"]:
        if file["path"] == path:
            file["content"] = change(file["content"])
    for thing in new["manifests"]:
        annotations = thing["metadata"].get("annotations", {})
        if thing["kind"] == "ConfigMap" and annotations.get("meshlab.envoy/folder") == folder:
            thing["data"][name] = change(thing["data"][name])
    return new


def with_first_address(text: str, address: str) -> str:
    """Return the text of listeners.yaml with another address of the first listener."""
    return re.sub(r"address: \S+", f"address: {address}", text, count=1)


def deployment_of(plan: dict[str, Any], group: str) -> dict[str, Any]:
    """Return the Deployment of a group; a change to it changes the plan."""
    [found] = [
        one
        for one in plan["manifests"]
        if one["kind"] == "Deployment" and one["metadata"]["labels"]["app.kubernetes.io/name"] == group
    ]
    return found


def pod_spec_of(plan: dict[str, Any], group: str) -> dict[str, Any]:
    """Return the pod spec of a group; a change to it changes the plan."""
    spec: dict[str, Any] = deployment_of(plan, group)["spec"]["template"]["spec"]
    return spec


def container_of(plan: dict[str, Any], group: str, name: str) -> dict[str, Any]:
    """Return a container of a group's pods; a change to it changes the plan."""
    spec = pod_spec_of(plan, group)
    [found] = [one for one in [*spec["containers"], *spec.get("initContainers", ())] if one["name"] == name]
    return found
