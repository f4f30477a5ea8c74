# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that a deployment prints: which workloads it replaced and how, and the traffic that flowed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    outcome_summary,
)

# How a workload is replaced, see docs/architecture.md.
HOW = {
    "hot_restart": "hot restart",
    "overlap": "the new one serves before the old one stops",
    "stop": "the old one stops first, so requests can fail",
    "rollout": "rollout",
}


def change_lines(name: str, result: Mapping[str, Any], check_mode: bool) -> list[str]:
    """Return the lines about a deployment that replaced or removed workloads; none for a first deployment.

    Args:
        name: Name of the demo.
        result: The result of demo_deploy.
        check_mode: Whether the result is a prediction.
    """
    lines = list(_changes(result, "would be " if check_mode else ""))
    lines += [f"{one['name']}: {outcome_summary([one])[1]}" for one in result.get("traffic") or ()]
    return [f"{name}: {line}" for line in lines]


def _changes(result: Mapping[str, Any], would: str) -> Iterator[str]:
    replaced: Mapping[str, str] = result.get("replaced") or {}
    started, restarted, removed = (
        [one for one in result.get(key) or () if one not in replaced]
        for key in ("started", "restarted", "removed")
    )
    names: dict[str, list[str]] = {}
    for workload, how in replaced.items():
        names.setdefault(how, []).append(workload)
    for how, workloads in names.items():
        yield f"{would}replaced ({HOW.get(how, how)}): {_listed(workloads)}"
    if restarted:
        yield f"{would}restarted: {_listed(restarted)}"
    if started and (names or restarted or removed):
        yield f"{would}started: {_listed(started)}"
    if removed:
        yield f"{would}removed: {_listed(removed)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))
