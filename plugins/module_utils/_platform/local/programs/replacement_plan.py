# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which programs start, in which order, and which of the previous ones stop before: from a document that supervisord has read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    generation_of,
    generations,
    waves,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    CONCURRENT_PROCESSES,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Replacement,
    Workload,
    ranks,
)


@dataclass
class ReplacementPlan:
    """What a deployment does with programs.

    Attributes:
        waves: The workloads to start. Each wave starts when the previous one is ready.
        replaced: How each workload that ran is replaced.
        stopped_before: The programs that stop before a workload starts.
    """

    waves: list[list[Workload]] = field(default_factory=list)
    replaced: dict[str, Replacement] = field(default_factory=dict)
    stopped_before: dict[str, list[str]] = field(default_factory=dict)

    def started(self) -> list[str]:
        """Return the workloads that did not run before."""
        return [one.name for wave in self.waves for one in wave if one.name not in self.replaced]


def replacement_plan(
    workloads: Mapping[str, Workload],
    added: Collection[str],
    changed: Collection[str],
    removed: Collection[str],
    blocking: Collection[str] = (),
    stopping: Collection[str] = (),
) -> ReplacementPlan:
    """Return the plan for a document.

    Args:
        workloads: The workloads by name.
        added: The programs that supervisord does not have yet.
        changed: The programs whose section differs, of the same generation.
        removed: The programs that the document does not have any more.
        blocking: Those of `removed` that have a port which a starting program of another workload needs.
        stopping: The workloads that are stopped first, whatever their way of replacement.
    """
    plan = ReplacementPlan()
    previous = generations(removed)
    starting = [one for one in workloads.values() if one.program in {*added, *changed}]
    for workload in starting:
        name = workload.name
        older = previous.get(name, [])
        if workload.program in changed:
            plan.replaced[name], plan.stopped_before[name] = "stop", [workload.program, *older]
        elif older:
            plan.replaced[name] = _way(workload, older, blocking, name in stopping)
            plan.stopped_before[name] = _stopped_before(workload, older, plan.replaced[name])
    plan.waves = waves(starting, plan.replaced, ranks(workloads.values()))
    return plan


def _way(workload: Workload, older: list[str], blocking: Collection[str], stops: bool) -> Replacement:
    if stops or workload.replacement not in ("hot_restart", "overlap") or set(older) & set(blocking):
        return "stop"
    return workload.replacement


def _stopped_before(workload: Workload, older: list[str], way: Replacement) -> list[str]:
    if way == "stop":
        return older
    if way == "hot_restart":
        # The sockets by which Envoys find each other have the number of the epoch modulo 3.
        return [
            program
            for program in older
            if (generation_of(program) - workload.generation) % CONCURRENT_PROCESSES == 0
        ]
    return []


def leftovers(
    workloads: Mapping[str, Workload], plan: ReplacementPlan, removed: Collection[str]
) -> list[str]:
    """Return the workloads with previous generations that an interrupted deployment left behind."""
    return [name for name in generations(removed) if name in workloads and name not in plan.replaced]
