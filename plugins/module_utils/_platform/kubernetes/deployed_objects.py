# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a demo in a cluster: their list, what came from them, and the changes that an apply makes to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    PlatformRefused,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import refusal
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    diff_entry,
    differs,
    display_name,
    object_key,
    pod_template,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_volumes import mounts
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.readiness import (
    RolloutObjects,
)

# The kinds of objects that a demo can have.
KINDS = (
    "Deployment",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
)
# Kinds that a cluster may lack, and that a user may be forbidden to list: an error only where the plan has such an object.
OPTIONAL_KINDS = (
    "HTTPRoute",
    "Route",
    "Gateway.networking.istio.io",
    "VirtualService",
    "DestinationRule",
    "PeerAuthentication",
)
# Kinds that the controllers of the cluster create for Deployments.
CREATED_KINDS = ("ReplicaSet", "Pod")
# Lists at the same time. Each has a connection of its own, whose TLS handshake costs more than a list.
LISTS_AT_ONCE = 6
# Kinds whose content is in the volumes of pods.
VOLUME_KINDS = ("ConfigMap", "Secret")


class DeployedObjects:
    """The objects of one demo as of the last `update`.

    Attributes:
        objects: The objects by kind and name, without those of CREATED_KINDS.
        rollouts: The Deployments, the ReplicaSets and the pods.
        namespace: The namespace of the cluster's client; None if it does not exist.
    """

    def __init__(self, selector: str, planned: Collection[ObjectKey], groups: Mapping[str, str]) -> None:
        """Keep what is needed for `update`.

        Args:
            selector: The label selector of the demo's objects.
            planned: Kinds and names of the planned objects.
            groups: The name that the demo has for a group, by the value of the group's label.
        """
        self.objects: dict[ObjectKey, KubernetesObject] = {}
        self.rollouts = RolloutObjects()
        self.namespace: KubernetesObject | None = None
        self._selector, self._groups = selector, groups
        planned_kinds = {kind for kind, _name in planned}
        self._kinds = tuple(dict.fromkeys((*KINDS, *OPTIONAL_KINDS, *sorted(planned_kinds))))
        self._optional = {*OPTIONAL_KINDS} - planned_kinds

    def update(self, cluster: Cluster) -> None:
        """List the objects.

        Raises:
            PlatformRefused: The user is forbidden to list a kind, the cluster does not support one, or no cluster responds.
        """

        def list_kind(kind: str) -> Sequence[KubernetesObject] | ClusterError:
            try:
                if kind == "Namespace":
                    namespace = cluster.get(kind, cluster.namespace)
                    return [namespace] if namespace else []
                return cluster.list(kind, self._selector)
            except ClusterError as error:
                return error

        responses = map_to_dict(list_kind, ("Namespace", *self._kinds, *CREATED_KINDS), LISTS_AT_ONCE)
        found = {kind: self._checked(kind, response) for kind, response in responses.items()}
        self.objects = {object_key(one): one for kind in self._kinds for one in found[kind]}
        self.rollouts = RolloutObjects(found["Deployment"], found["ReplicaSet"], found["Pod"])
        self.namespace = found["Namespace"][0] if found["Namespace"] else None

    def _checked(
        self, kind: str, response: Sequence[KubernetesObject] | ClusterError
    ) -> Sequence[KubernetesObject]:
        if not isinstance(response, ClusterError):
            return response
        if response.reason == "forbidden" and kind == "Namespace":
            return [{"metadata": {}}]  # the requests for the other kinds show whether it exists
        if response.reason in ("forbidden", "not_found") and kind in self._optional:
            return []
        if response.reason == "not_found":
            raise PlatformRefused(f"This cluster does not support {kind}. Install its API, or do not use it.")
        raise refusal(response)

    def exist(self) -> bool:
        """Return whether the cluster has anything of the demo."""
        return bool(self.objects or self.rollouts.replica_sets or self.rollouts.pods)

    def unplanned(self, planned: Collection[ObjectKey]) -> list[ObjectKey]:
        """Return the objects that are not planned."""
        return [key for key in self.objects if key not in planned]

    def group_of(self, thing: Mapping[str, Any]) -> str:
        """Return the demo's name for the group of a Deployment or a pod."""
        group = object_names.group_label(thing) or str(thing["metadata"]["name"])
        return self._groups.get(group, group)

    def group_label(self, key: ObjectKey) -> str:
        """Return the value of an object's group label; empty if it has none."""
        return object_names.group_label(self.objects[key])

    def created_for(self, keys: Iterable[ObjectKey]) -> list[ObjectKey]:
        """Return one ReplicaSet and one pod that the cluster created for Deployments: permissions concern all of a kind."""
        groups = {self.group_label(key) for key in keys if key[0] == "Deployment"}
        samples = {
            kind: (kind, str(one["metadata"]["name"]))
            for kind, created in (("ReplicaSet", self.rollouts.replica_sets), ("Pod", self.rollouts.pods))
            for one in created
            if object_names.group_label(one) in groups
        }
        return [*samples.values()]

    def pods_that_mount(self, keys: Iterable[ObjectKey]) -> list[ObjectKey]:
        """Return the pods that mount one of the existing ConfigMaps and Secrets among `keys`."""
        volumes = [key for key in keys if key[0] in VOLUME_KINDS and key in self.objects]
        return [
            ("Pod", str(pod["metadata"]["name"]))
            for pod in self.rollouts.pods
            if any(mounts(pod, *key) for key in volumes)
        ]

    def changes(
        self, after: Mapping[ObjectKey, KubernetesObject], removed: Sequence[ObjectKey] = ()
    ) -> AppliedChanges:
        """Return the changes from the objects as of the last `update`.

        Args:
            after: The objects after an apply or a dry run.
            removed: The objects that were, or would be, removed.
        """
        changed = {key: one for key, one in after.items() if differs(self.objects.get(key), one)}
        started, restarted = [], []
        for key, one in changed.items():
            if key[0] == "Deployment":
                before = self.objects.get(key)
                if before is None or not before["spec"].get("replicas", 1):
                    started.append(self.group_of(one))
                elif pod_template(before) != pod_template(one):
                    restarted.append(self.group_of(one))
        removed_objects = [self.objects[key] for key in removed]
        return AppliedChanges(
            sorted_names(started),
            sorted_names(restarted),
            sorted_names(self.group_of(one) for one in removed_objects if one["kind"] == "Deployment"),
            sorted_names(map(display_name, [*changed, *removed])),
            (
                *(diff_entry(self.objects.get(key), one) for key, one in changed.items()),
                *(diff_entry(one, None) for one in removed_objects),
            ),
        )
