# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes objects, and waits until the pods that came from them are gone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.cluster.api import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils.side_by_side import each

# Nobody asks pods of a group that is removed as a whole, so they need not serve to the end of their own grace.
SHORT_GRACE = 1
SECONDS_TO_GO = 60
PAUSE = 0.2


def remove(cluster: Cluster, keys: Iterable[tuple[str, str]], selectors: Sequence[str]) -> None:
    """Delete objects by kind and name, and the pods that `selectors` find; return when those are gone. Raises ClusterError."""
    every = [*keys]
    # A Deployment makes ReplicaSets, and those pods: who makes goes before what is made. And alone: pods that the cluster removes
    # after it get their own, longer grace, which nothing shortens any more once they use it.
    deployments = [key for key in every if key[0] == "Deployment"]
    each(lambda key: cluster.delete(*key, propagation="Orphan"), deployments)
    each(lambda key: cluster.delete(*key), [key for key in every if key[0] != "Deployment"])
    deadline = time.monotonic() + SECONDS_TO_GO
    hurried: set[str] = set()
    while selectors:
        sets = _listed(cluster, "ReplicaSet", selectors)
        each(
            lambda one: cluster.delete("ReplicaSet", one, propagation="Orphan"),
            [one["metadata"]["name"] for one in sets],
        )
        pods = {
            str(one["metadata"]["uid"]): str(one["metadata"]["name"])
            for one in _listed(cluster, "Pod", selectors)
        }
        if not (sets or pods):
            return
        # Also those that were going already, with a longer grace.
        new = {uid: name for uid, name in pods.items() if uid not in hurried}
        each(lambda name: cluster.delete("Pod", name, grace=SHORT_GRACE), new.values())
        hurried |= new.keys()
        if time.monotonic() >= deadline:
            names = ", ".join(sorted(pods.values()))
            raise ClusterError("timeout", f"pods are still there after {SECONDS_TO_GO} s: {names}")
        time.sleep(PAUSE)


def _listed(cluster: Cluster, kind: str, selectors: Sequence[str]) -> list[dict[str, Any]]:
    return [
        one
        for found in each(lambda selector: cluster.list(kind, selector), selectors).values()
        for one in found
    ]
