# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes objects, and waits until they and the pods that came from them are gone."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    is_going,
    key_of,
    shown_name,
)

# Nobody asks pods of a group that is removed as a whole, so they need not serve to the end of their own grace.
SHORT_GRACE = 1
# A cloud takes a minute and more until its load balancer lets a Service go.
SECONDS_TO_GO = 120
PAUSE = 0.2


def remove(
    cluster: Cluster, keys: Iterable[tuple[str, str]], selector: str, pod_selectors: Sequence[str]
) -> None:
    """Delete objects by kind and name, and the pods that `pod_selectors` find; return when all of them are gone. Raises ClusterError.

    `selector` finds each of the objects: one that somebody else has to let go first (a finalizer) is there until then.
    """
    every = [*keys]
    # A Deployment makes ReplicaSets, and those pods: who makes goes before what is made. And alone: pods that the cluster removes
    # after it get their own, longer grace, which nothing shortens any more once they use it.
    deployments = [key for key in every if key[0] == "Deployment"]
    map_to_dict(lambda key: cluster.delete(*key, propagation="Orphan"), deployments)
    map_to_dict(lambda key: cluster.delete(*key), [key for key in every if key[0] != "Deployment"])
    deadline = time.monotonic() + SECONDS_TO_GO
    hurried: set[str] = set()
    left: dict[tuple[str, str], dict[str, Any]] = {key: {} for key in every}
    while True:
        left = _still_there(cluster, left, selector)
        sets = _listed(cluster, "ReplicaSet", pod_selectors)
        map_to_dict(
            lambda one: cluster.delete("ReplicaSet", one, propagation="Orphan"),
            [one["metadata"]["name"] for one in sets],
        )
        pods = _listed(cluster, "Pod", pod_selectors)
        if not (left or sets or pods):
            return
        new = [one for one in pods if one["metadata"]["uid"] not in hurried]
        _hurry(cluster, new)
        hurried |= {one["metadata"]["uid"] for one in new}
        if time.monotonic() >= deadline:
            raise ClusterError("timeout", still_going([*left.values(), *pods], SECONDS_TO_GO))
        time.sleep(PAUSE)


def _hurry(cluster: Cluster, pods: Iterable[Mapping[str, Any]]) -> None:
    """Delete pods for which nobody asks any more, without the time that they would take to serve on.

    One that is going, as after a rollout, has begun to wait, and the kubelet looks at no shorter grace any more: it is let go, and
    ends on its node within its own.
    """
    graces = {str(one["metadata"]["name"]): 0 if is_going(one) else SHORT_GRACE for one in pods}
    map_to_dict(lambda name: cluster.delete("Pod", name, grace=graces[name]), graces)


def still_going(things: Iterable[Mapping[str, Any]], seconds: float) -> str:
    """Return the words for objects that do not go, and for whom they wait."""
    told = {shown_name(key_of(one)): ", ".join(one["metadata"].get("finalizers") or ()) for one in things}
    said = (f"{name}{f' (which {waits} has to let go)' if waits else ''}" for name, waits in told.items())
    return f"still there after {seconds:g} s, though deleted: {', '.join(sorted(said))}"


def _still_there(
    cluster: Cluster, keys: Collection[tuple[str, str]], selector: str
) -> dict[tuple[str, str], dict[str, Any]]:
    found = map_to_dict(lambda kind: cluster.list(kind, selector), {kind for kind, _name in keys})
    return {key_of(one): one for things in found.values() for one in things if key_of(one) in keys}


def _listed(cluster: Cluster, kind: str, selectors: Sequence[str]) -> list[dict[str, Any]]:
    return [
        one
        for found in map_to_dict(lambda selector: cluster.list(kind, selector), selectors).values()
        for one in found
    ]
