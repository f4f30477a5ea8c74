# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion of objects: it returns when the objects and the pods that came from them no longer exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    display_name,
    is_terminating,
    object_key,
)

# Seconds. Pods of a group that is removed as a whole get no requests, so that they need not wait for their own grace period.
SHORT_GRACE = 1
# Seconds. A cloud takes a minute and more to remove the load balancer of a Service.
DELETION_TIMEOUT = 120
PAUSE = 0.2  # seconds between two attempts


def delete_objects(
    cluster: Cluster, keys: Iterable[ObjectKey], selector: str, pod_selectors: Sequence[str]
) -> None:
    """Delete objects and pods; return when none of them exists any more.

    Args:
        cluster: The cluster.
        keys: Kinds and names of the objects.
        selector: A label selector that finds all of the objects.
        pod_selectors: Label selectors of the pods.

    Raises:
        ClusterError: A request failed, or something still exists after DELETION_TIMEOUT seconds (`timeout`).
    """
    pending: dict[ObjectKey, KubernetesObject] = {key: {} for key in keys}
    # A Deployment would replace deleted ReplicaSets, and those deleted pods: the owner is deleted before what it creates. Each is
    # deleted with propagation Orphan, because pods that the cluster deletes get their own, longer grace period, and the kubelet
    # does not shorten one that has begun.
    deployments = [key for key in pending if key[0] == "Deployment"]
    map_to_dict(lambda key: cluster.delete(*key, propagation="Orphan"), deployments)
    map_to_dict(lambda key: cluster.delete(*key), [key for key in pending if key[0] != "Deployment"])
    shortened: set[str] = set()
    pods: list[KubernetesObject] = []
    for _left in attempts(DELETION_TIMEOUT, first_pause=PAUSE, longest_pause=PAUSE):
        pending = _existing(cluster, pending, selector)
        replica_sets = _list(cluster, "ReplicaSet", pod_selectors)
        map_to_dict(
            lambda name: cluster.delete("ReplicaSet", name, propagation="Orphan"),
            [one["metadata"]["name"] for one in replica_sets],
        )
        pods = _list(cluster, "Pod", pod_selectors)
        if not (pending or replica_sets or pods):
            return
        new = [pod for pod in pods if pod["metadata"]["uid"] not in shortened]
        _delete_pods(cluster, new)
        shortened |= {pod["metadata"]["uid"] for pod in new}
    raise ClusterError("timeout", still_existing([*pending.values(), *pods], DELETION_TIMEOUT))


def still_existing(things: Iterable[Mapping[str, Any]], seconds: float) -> str:
    """Return the message about objects that still exist `seconds` after their deletion, with their finalizers."""
    finalizers = {
        display_name(object_key(thing)): ", ".join(thing["metadata"].get("finalizers") or ())
        for thing in things
    }
    objects = sorted(
        f"{name}{f' (finalizers: {waits})' if waits else ''}" for name, waits in finalizers.items()
    )
    return f"still existing {seconds:g} s after the deletion: {', '.join(objects)}"


def _delete_pods(cluster: Cluster, pods: Iterable[Mapping[str, Any]]) -> None:
    """Delete pods with a short grace period.

    The kubelet does not shorten the grace period of a pod that terminates already, as after a rollout. The object of such a pod is
    removed at once; its containers end within their own grace period.
    """
    graces = {str(pod["metadata"]["name"]): 0 if is_terminating(pod) else SHORT_GRACE for pod in pods}
    map_to_dict(lambda name: cluster.delete("Pod", name, grace=graces[name]), graces)


def _existing(
    cluster: Cluster, keys: Collection[ObjectKey], selector: str
) -> dict[ObjectKey, KubernetesObject]:
    found = map_to_dict(lambda kind: cluster.list(kind, selector), {kind for kind, _name in keys})
    return {
        object_key(thing): thing for things in found.values() for thing in things if object_key(thing) in keys
    }


def _list(cluster: Cluster, kind: str, selectors: Sequence[str]) -> list[KubernetesObject]:
    found = map_to_dict(lambda selector: cluster.list(kind, selector), selectors)
    return [thing for things in found.values() for thing in things]
