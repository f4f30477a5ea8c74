# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of platform `kubernetes`: the objects of a demo, as data.

`kubectl apply --filename manifests.yaml` runs the demo without Ansible.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
    network_owners,
)

FILE = "manifests.yaml"


def manifests(
    demo: str,
    workloads: Sequence[Workload],
    contents: Mapping[str, str | bytes],
    sensitive: Collection[str],
    certificates: Sequence[str],
    settings: ClusterSettings,
) -> list[Object]:
    """Return the objects of a demo, each after the objects that it refers to.

    Args:
        demo: Name of the demo.
        workloads: The workloads of the demo.
        contents: Content of the files of the demo, by path.
        sensitive: Paths of the files with secrets.
        certificates: Directories of the certificates. Their Secrets have no data until the host has generated the keys.
        settings: Settings of the cluster.

    Raises:
        WorkloadError: Names are too long or equal, or a workload has no image.
    """
    check_names(workloads)
    owners = network_owners(workloads)
    pods = _pods(workloads, owners)
    below, sensitive_below = (
        config_maps.files_by_folder(
            {path: text for path, text in contents.items() if (path in sensitive) is which}
        )
        for which in (False, True)
    )
    mounted = config_maps.folders(workloads, contents)
    certified = config_maps.files_by_folder(dict.fromkeys(certificates, ""))
    texts = [text for text in contents.values() if isinstance(text, str)]
    standby_names = {name for text in texts for name in object_names.standby_names_in(text)}
    writable = {mount.source for one in workloads for mount in one.mounts if mount.writable}
    volumes = {
        **{
            folder: config_maps.volume(
                demo,
                folder,
                digest,
                below.get(folder, {}),
                sensitive_below.get(folder, {}),
                certified.get(folder, ()),
            )
            for folder, digest in mounted.items()
        },
        **{folder: config_maps.empty(folder) for folder in writable},
    }
    objects = [
        policies.service_account(demo),
        *(
            one
            for folder, digest in mounted.items()
            if below.get(folder) or folder not in sensitive_below
            for one in config_maps.file_config_maps(demo, folder, digest, below.get(folder, {}))
        ),
        *(
            config_maps.sensitive_secret(demo, folder, digest, sensitive_below[folder])
            for folder, digest in mounted.items()
            if folder in sensitive_below
        ),
        *(config_maps.secret(demo, folder) for folder in certificates),
        *(policies.network_policy(demo, pod) for pod in pods),
        *policies.disruption_budgets(demo, pods),
        *_services_and_routes(demo, workloads, owners, settings, standby_names),
        *(deployment(demo, pod, volumes, settings) for pod in pods),
    ]
    _check_object_names(objects)
    return objects


def _pods(workloads: Sequence[Workload], owners: Mapping[str, Workload]) -> list[Pod]:
    containers: dict[str, list[Workload]] = {}
    for one in workloads:
        owner = owners[one.name]
        containers.setdefault(owner.name, [owner])
        if one is not owner:
            containers[owner.name].append(one)
    return [Pod(found[0].group or found[0].name, tuple(found)) for found in containers.values()]


def _services_and_routes(
    demo: str,
    workloads: Sequence[Workload],
    owners: Mapping[str, Workload],
    settings: ClusterSettings,
    standby_names: Collection[str],
) -> list[Object]:
    """Return the objects by which each group is reached. A group can run in the pods of another group's workload."""
    objects: list[Object] = []
    groups: dict[str, list[Workload]] = {}
    for one in workloads:
        groups.setdefault(one.group or one.name, []).append(one)
    for group, own in groups.items():
        owner = owners[own[0].name]
        objects += services(demo, group, owner.group or owner.name, own, settings, standby_names)
        if settings.routes:
            objects += routes(demo, group, own, settings)
        if settings.gateway:
            objects += http_routes(demo, group, own, settings)
    return objects


def _check_object_names(objects: Sequence[Object]) -> None:
    """Raise WorkloadError for a name that is too long, or that two objects of one kind have: `a_b` and `a-b` are equal."""
    seen: set[tuple[str, str]] = set()
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        if len(name) > object_names.LONGEST:
            raise WorkloadError(
                f"{kind} {name}: the name has {len(name)} characters, but Kubernetes allows {object_names.LONGEST}."
                " Shorten the name of the demo or of the service."
            )
        if (kind, name) in seen:
            raise WorkloadError(
                f"{kind} {name}: two groups have this name, because Kubernetes names have '-' in place of '_'. Rename one group."
            )
        seen.add((kind, name))
