# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The apply of planned objects: their completion, the comparison with the existing objects, and the pods that are affected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    PlatformFailed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.delete import SHORT_GRACE
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import (
    VOLUME_KINDS,
    DeployedObjects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import sentence
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.config_map_target import (
    ConfigMapTarget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    with_certificates,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    differs,
    is_current,
    is_manually_applied,
    object_key,
    with_digest,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_volumes import (
    mounts,
    refresh_volumes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import is_backing_off

Objects = dict[ObjectKey, KubernetesObject]


class ObjectApplier:
    """The applies of one deployment."""

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        deployed: DeployedObjects,
        targets: Mapping[str, ConfigMapTarget],
    ) -> None:
        """Keep what the applies need.

        Args:
            cluster: The cluster.
            folder: The demo's state folder, with its certificates.
            deployed: The objects in the cluster.
            targets: The ConfigMaps with the watched files, by proxy.
        """
        self._cluster, self._folder, self._deployed, self._targets = cluster, folder, deployed, targets

    def completed(self, thing: Mapping[str, Any]) -> KubernetesObject | None:
        """Return an object as it is applied; None where its certificate does not exist yet."""
        complete = with_certificates(thing, self._folder)
        if complete is None:
            return None
        for target in self._targets.values():
            if object_key(complete) == target.key:
                complete = {**complete, "data": {**complete["data"], **target.live_data()}}
        return with_digest(complete)

    def differs_from_existing(self, key: ObjectKey, planned: Mapping[str, Any]) -> bool:
        """Return whether a completed object needs an apply."""
        existing = self._deployed.objects.get(key)
        return existing is None or is_manually_applied(existing) or not is_current(planned, existing)

    def apply(self, things: Mapping[ObjectKey, KubernetesObject]) -> Objects:
        """Apply objects, and refresh the volumes of the pods that mount them; return the results."""
        existing = self._deployed.objects
        try:
            map_to_dict(
                lambda key: self._cluster.take_over(*key),
                [key for key in things if is_manually_applied(existing.get(key))],
            )
            results = map_to_dict(lambda key: self._cluster.apply(things[key]).object, things)
            self._refresh_pods(results)
        except ClusterError as error:
            raise PlatformFailed(
                f"The cluster rejects a request after a successful dry run: {sentence(error.message)}"
            ) from None
        for target in self._targets.values():
            target.set_applied(results.get(target.key))
        return results

    def _refresh_pods(self, results: Mapping[ObjectKey, KubernetesObject]) -> None:
        """Refresh the volumes of the pods that mount a changed ConfigMap or Secret. Raises ClusterError."""
        existing = self._deployed.objects
        changed = [
            key
            for key, one in results.items()
            if key[0] in VOLUME_KINDS and key in existing and differs(existing[key], one)
        ]
        for pod in self._deployed.rollouts.pods if changed else ():
            if mounted := [results[key] for key in changed if mounts(pod, *key)]:
                refresh_volumes(self._cluster, pod["metadata"]["name"], mounted[0].get("data") or {})

    def replace_delayed_pods(self, changes: AppliedChanges) -> list[str]:
        """Delete pods whose start the kubelet delays, unless the apply replaces them; return their groups."""
        delayed = {}
        for pod in self._deployed.rollouts.pods:
            group = self._deployed.group_of(pod)
            if is_backing_off(pod) and group not in (*changes.started, *changes.restarted):
                delayed[str(pod["metadata"]["name"])] = group
        try:
            map_to_dict(lambda name: self._cluster.delete("Pod", name, grace=SHORT_GRACE), delayed)
        except ClusterError as error:
            raise PlatformFailed(
                f"A pod that does not start cannot be replaced: {sentence(error.message)}"
            ) from None
        return [*delayed.values()]
