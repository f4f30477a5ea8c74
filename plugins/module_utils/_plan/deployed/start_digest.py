# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digest and the generation of each workload, and the record that a later plan compares them with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeployedWorkload,
    DeploymentRecord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import plain_fields
from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import data_digest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    EPOCH,
    THREADS,
    option,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

# Fields that differ between generations, that change while a workload runs, or that only other programs read.
NOT_READ_AT_START = (
    *("name", "ports", "aliases", "after", "group", "replicas", "container", "sidecar", "host"),
    *("generation", "replacement", "holder_image"),
)
# Arguments of Envoy whose value is not read only at its start: the admin interface changes the level.
LIVE_ARGUMENTS = ("--log-level",)


def with_generations(workloads: Iterable[Workload], platform: Platform) -> list[Workload]:
    """Return workloads with their digest and generation.

    Args:
        workloads: The workloads. Their `digest` is that of the files which they read only at start.
        platform: The platform with the demo and the record of the deployment.
    """
    changes_live = {
        proxy.workload
        for proxy in platform.proxies()
        if topology.has_admin(proxy.spec) and platform.replacement != "rollout"
    }
    return [_with_generation(one, platform, one.name in changes_live) for one in workloads]


def start_digest(workload: Workload, ignored: Sequence[str] = (), changes_live: bool = False) -> str:
    """Return the digest of all that a workload reads only at its start: 12 hexadecimal digits.

    Args:
        workload: The workload, whose `digest` is that of its files.
        ignored: Fields that its platform does not use, in addition to NOT_READ_AT_START.
        changes_live: Whether an admin interface changes LIVE_ARGUMENTS.
    """
    skipped = (*NOT_READ_AT_START, *ignored)
    fields = {key: value for key, value in plain_fields(workload).items() if key not in skipped}
    if changes_live:
        fields["command"] = without_live_arguments(workload.command)
    return data_digest(fields)


def without_live_arguments(command: Sequence[str]) -> list[str]:
    """Return a command without LIVE_ARGUMENTS and their values.

    Example:
        >>> without_live_arguments(["envoy", "--log-level", "debug", "--concurrency", "2"])
        ['envoy', '--concurrency', '2']
    """
    previous = ["", *command]
    return [
        word for before, word in zip(previous, command) if not {before, word}.intersection(LIVE_ARGUMENTS)
    ]


def deployment_record(workloads: Sequence[Workload], platform: Platform) -> DeploymentRecord:
    """Return the record of a deployment of `workloads`."""
    chosen, stated = platform.deployed_ports()
    return DeploymentRecord(
        platform.block,
        chosen,
        stated,
        {
            one.name: DeployedWorkload(one.generation, one.digest, option(one.command, THREADS) or 0)
            for one in workloads
        },
        platform.networks(workloads),
        platform.context.change,
        platform.inner_ports(),
    )


def replaced_workloads(
    workloads: Iterable[Workload], recorded: Mapping[str, DeployedWorkload]
) -> list[Workload]:
    """Return the workloads that run and that a deployment replaces."""
    return [
        one
        for one in workloads
        if (before := recorded.get(one.name))
        and (before.digest, before.generation) != (one.digest, one.generation)
    ]


def _with_generation(workload: Workload, platform: Platform, changes_live: bool) -> Workload:
    recorded = platform.context.deployed.workloads.get(workload.name)
    digest = start_digest(workload, platform.unused_fields, changes_live)
    generation = recorded.generation if recorded else 0
    if recorded and recorded.digest != digest:
        generation += 1
    if workload.replacement == "rollout":
        generation = 0
    changes: dict[str, Any] = {"digest": digest, "generation": generation}
    if workload.replacement == "hot_restart":
        changes["command"] = (*workload.command, EPOCH, str(generation))
    return replace(workload, **changes)
