# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until rollouts are done, and tells what became of those that are not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    LAST_LINES,
    PlatformFailed,
    with_last_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import (
    Rollout,
    judge,
    still_serving,
)

Object = dict[str, Any]
FIRST, LONGEST = 0.1, 0.25  # seconds between two looks


@dataclass(frozen=True)
class Seen:
    """What the API server says of a demo's Deployments, at one moment."""

    deployments: list[Object]
    replica_sets: list[Object]
    pods: list[Object]


def look(cluster: Cluster, selector: str) -> Seen:
    """Ask for all of them, side by side. Raises ClusterError."""
    kinds = ("Deployment", "ReplicaSet", "Pod")
    return Seen(*map_to_dict(lambda kind: cluster.list(kind, selector), kinds).values())


class Readiness:
    """Waits for Deployments by name; `called` is what each is called in messages."""

    def __init__(self, cluster: Cluster, selector: str, called: Mapping[str, str]) -> None:
        self._cluster, self._selector, self._called = cluster, selector, called

    def wait(self, timeout: float, seen: Seen | None = None) -> None:
        """Return when all are ready. Raises PlatformFailed for those that cannot get ready, or do not in time.

        `seen` is what there is, where that was just asked.
        """
        deadline = time.monotonic() + timeout
        pause = FIRST
        trouble: ClusterError | None = None
        while True:
            try:
                seen, trouble = seen or look(self._cluster, self._selector), None
            except ClusterError as error:
                # An API server that is away for a moment is asked again.
                trouble = error
                if error.reason in ("forbidden", "unauthorized"):
                    raise PlatformFailed(f"What became of the pods is not known: {error}") from None
            late = time.monotonic() >= deadline
            if seen and not trouble:
                rollouts = self._judged(seen)
                if broken := {name: one for name, one in rollouts.items() if one.state == "broken"}:
                    raise PlatformFailed(
                        "\n".join(self._told(name, one, one.words, seen) for name, one in broken.items())
                    )
                pending = {name: one for name, one in rollouts.items() if one.state == "waiting"}
                if not pending:
                    return
                if late:
                    raise PlatformFailed(
                        "\n".join(
                            self._told(name, one, self._late(one, timeout), seen)
                            for name, one in pending.items()
                        )
                    )
            elif late:
                raise PlatformFailed(f"Whether pods are ready is not known after {timeout:g} s: {trouble}")
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, LONGEST)
            seen = None

    def _judged(self, seen: Seen) -> dict[str, Rollout]:
        there = {str(one["metadata"]["name"]): one for one in seen.deployments}
        gone = Rollout("broken", "its Deployment is gone; somebody removed it: run again")
        return {
            name: judge(there[name], seen.replica_sets, seen.pods) if name in there else gone
            for name in self._called
        }

    def _late(self, rollout: Rollout, timeout: float) -> str:
        event = self._last_event(rollout.pod) if rollout.pod else ""
        return f"is not ready after {timeout:g} s: {rollout.words}{f' ({event})' if event else ''}"

    def _told(self, name: str, rollout: Rollout, words: str, seen: Seen) -> str:
        deployment = next((one for one in seen.deployments if one["metadata"]["name"] == name), None)
        serving = still_serving(deployment, seen.replica_sets) if deployment else 0
        kept = f"; {serving} of its pods of before keep serving" if serving else ""
        between = " " if rollout.state == "waiting" else ": "
        what = f"{self._called[name]}{between}{words}{kept}"
        if not rollout.container:
            return what
        flags = f" --container {rollout.container}{' --previous' if rollout.previous else ''}"
        where = f"kubectl --namespace {self._cluster.namespace} logs {rollout.pod}{flags}"
        return with_last_lines(what, self._log(rollout), where)

    def _log(self, rollout: Rollout) -> list[str]:
        for previous in dict.fromkeys((rollout.previous, False)):
            try:
                return self._cluster.logs(rollout.pod, rollout.container, previous=previous, lines=LAST_LINES)
            except ClusterError:
                continue
        return []

    def _last_event(self, pod: str) -> str:
        """Return what the cluster last said of a pod: what it pulls, which probe fails, which volume is not there."""
        try:
            events = self._cluster.list("Event", fields=f"involvedObject.name={pod}")
        except ClusterError:
            return ""
        told = [one for one in events if one.get("message")]
        if not told:
            return ""
        last = max(told, key=lambda one: (one.get("type") == "Warning", _moment(one)))
        return " ".join(str(last["message"]).split())[:300]


def _moment(event: Mapping[str, Any]) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
