# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads → the objects of a demo in a namespace, as data.

They are what a person would have written: `kubectl apply --filename manifests.yaml` runs them without Ansible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    config_maps,
    object_names,
    policies,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
    Pod,
    deployment,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.services import (
    http_routes,
    routes,
    services,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Workload,
    WorkloadError,
    check_names,
    network_owner,
)

FILE = "manifests.yaml"


def manifests(
    demo: str,
    workloads: Sequence[Workload],
    contents: Mapping[str, str],
    certificates: Sequence[str],
    settings: ClusterSettings,
) -> list[Object]:
    """Return the objects of `demo`, what is referred to before what refers to it.

    `contents` are its files by path, `certificates` the folders in which certificates will be. Secrets come without data,
    which is filled in where the keys are made. Raises WorkloadError.
    """
    check_names(workloads)
    pods = _pods(workloads)
    mounted = config_maps.folders(workloads)
    writable = {mount.source for one in workloads for mount in one.mounts if mount.writable}
    volumes = {
        **{
            folder: config_maps.volume(demo, folder, digest, contents, certificates)
            for folder, digest in mounted.items()
        },
        **{folder: config_maps.empty(folder) for folder in writable},
    }
    objects = [
        policies.service_account(demo),
        *(config_maps.config_map(demo, folder, digest, contents) for folder, digest in mounted.items()),
        *(config_maps.secret(demo, folder) for folder in certificates),
        *(policies.network_policy(demo, pod) for pod in pods),
        *policies.disruption_budgets(demo, pods),
        *_reached(demo, workloads, settings),
        *(deployment(demo, pod, volumes, settings) for pod in pods),
    ]
    _check(objects)
    return objects


def _pods(workloads: Sequence[Workload]) -> list[Pod]:
    inside: dict[str, list[Workload]] = {}
    for one in workloads:
        owner = network_owner(one, workloads)
        inside.setdefault(owner.name, [owner])
        if one is not owner:
            inside[owner.name].append(one)
    return [Pod(found[0].group or found[0].name, tuple(found)) for found in inside.values()]


def _reached(demo: str, workloads: Sequence[Workload], settings: ClusterSettings) -> list[Object]:
    """A group may run in the pods of another: those of the workload whose network it uses."""
    objects: list[Object] = []
    for group in dict.fromkeys(one.group or one.name for one in workloads):
        own = [one for one in workloads if (one.group or one.name) == group]
        owner = network_owner(own[0], workloads)
        objects += services(demo, group, owner.group or owner.name, own, settings)
        if settings.routes:
            objects += routes(demo, group, own, settings)
        if settings.gateway:
            objects += http_routes(demo, group, own, settings)
    return objects


def _check(objects: Sequence[Object]) -> None:
    """Names are shorter than a demo's own words may be, and `a_b` and `a-b` are one."""
    seen: set[tuple[str, str]] = set()
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        if len(name) > object_names.LONGEST:
            raise WorkloadError(
                f"{kind} {name} has {len(name)} letters, and Kubernetes takes {object_names.LONGEST}: shorten the name of the demo"
                " or of the service"
            )
        if (kind, name) in seen:
            raise WorkloadError(
                f"there are two of {kind} {name}: on Kubernetes '_' and '-' are one letter, so use names that differ otherwise"
            )
        seen.add((kind, name))
