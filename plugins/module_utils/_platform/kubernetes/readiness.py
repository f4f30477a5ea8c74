# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for rollouts, and the reports about Deployments that are not ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.api_server import KubernetesObject
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    LAST_LINES,
    PlatformFailed,
    as_sentence,
    with_last_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import (
    RolloutStatus,
    is_complete,
    rollout_status,
    serving_previous_pods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    Status,
    StatusUnknown,
    wait_until_ready,
)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.15  # seconds between two requests for the Deployments
# Seconds between two requests for the ReplicaSets and the pods. These explain why a Deployment is not ready, and are most of the bytes.
EXPLANATION_INTERVAL = 1.0
MAX_EVENT = 300  # characters of an event's text


@dataclass(frozen=True)
class RolloutObjects:
    """The Deployments of a demo, with their ReplicaSets and pods, at one moment."""

    deployments: Sequence[KubernetesObject] = ()
    replica_sets: Sequence[KubernetesObject] = ()
    pods: Sequence[KubernetesObject] = ()


def wait_for_rollouts(
    cluster: Cluster,
    selector: str,
    groups: Mapping[str, str],
    timeout: float,
    *,
    known: RolloutObjects | None = None,
    tool: str = "kubectl",
    progress: Progress = no_progress,
) -> None:
    """Return when Deployments are ready.

    Args:
        cluster: The cluster.
        selector: The label selector of the demo's objects.
        groups: The name that the demo has for each Deployment, by the Deployment's name.
        timeout: Seconds until the deadline.
        known: The objects, where they were listed just before; they replace the first request.
        tool: The command that reports name: kubectl or oc.
        progress: Receives which group the wait is for, with its reason.

    Raises:
        PlatformFailed: A Deployment cannot become ready, or is not ready in time; one report for each.
    """
    source = Rollouts(cluster, selector, groups, known, tool)
    wait_until_ready(
        source,
        groups,
        timeout,
        first_pause=FIRST_PAUSE,
        longest_pause=LONGEST_PAUSE,
        progress=progress,
        names=groups,
    )


class Rollouts:
    """The Deployments as a source of the readiness loop; see `readiness_loop.ReadinessSource`."""

    def __init__(
        self,
        cluster: Cluster,
        selector: str,
        groups: Mapping[str, str],
        known: RolloutObjects | None = None,
        tool: str = "kubectl",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a source; see `wait_for_rollouts` for the arguments. A test replaces the clock."""
        self._cluster, self._selector, self._groups, self._tool = cluster, selector, groups, tool
        self._known = known
        self._objects = RolloutObjects()
        self._clock = clock
        self._explained = clock()

    def statuses(self, pending: Sequence[str], seconds_left: float) -> Mapping[str, Status]:  # noqa: ARG002
        """Return the status of all Deployments: one that was ready can lose its pods again.

        The ReplicaSets and pods are those of the last EXPLANATION_INTERVAL, and current in the last attempt.
        """
        try:
            self._objects = self._known or self._list(seconds_left)
        except ClusterError as error:
            if error.reason in ("forbidden", "unauthorized"):
                raise PlatformFailed(as_sentence(f"The status of the pods cannot be read: {error}")) from None
            raise StatusUnknown(str(error)) from None
        self._known = None
        deployments = {str(one["metadata"]["name"]): one for one in self._objects.deployments}
        missing = RolloutStatus("failed", "its Deployment was removed during this run. Run again")
        return {
            name: rollout_status(deployments[name], self._objects.replica_sets, self._objects.pods)
            if name in deployments
            else missing
            for name in self._groups
        }

    def _list(self, seconds_left: float) -> RolloutObjects:
        """Return the current Deployments; raises ClusterError."""
        current = replace(self._objects, deployments=self._cluster.list("Deployment", self._selector))
        names = {one["metadata"]["name"] for one in current.deployments if is_complete(one)}
        is_recent = self._clock() - self._explained < EXPLANATION_INTERVAL
        if names.issuperset(self._groups) or (is_recent and seconds_left > 0):
            return current
        created = map_to_dict(lambda kind: self._cluster.list(kind, self._selector), ("ReplicaSet", "Pod"))
        self._explained = self._clock()
        return RolloutObjects(current.deployments, created["ReplicaSet"], created["Pod"])

    def report(self, workload: str, status: Status, problem: str) -> str:
        """Return the report about one Deployment: the problem, the last event, and the last lines of the log."""
        separator = " " if status.state == "waiting" else ": "
        text = f"{self._groups[workload]}{separator}{problem}"
        if not isinstance(status, RolloutStatus):
            return as_sentence(text)
        event = self._last_event(status.pod) if status.pod and status.state == "waiting" else ""
        text += f" ({event})" if event and event not in text else ""
        serving = self._serving_previous_pods(workload)
        text += f". {serving} of its previous pods still serve" if serving else ""
        if not status.container:
            return as_sentence(text)
        options = f" --container {status.container}{' --previous' if status.previous else ''}"
        command = f"{self._tool} --namespace {self._cluster.namespace} logs {status.pod}{options}"
        return with_last_lines(text, self._log(status), command)

    def _serving_previous_pods(self, name: str) -> int:
        for deployment in self._objects.deployments:
            if deployment["metadata"]["name"] == name:
                return serving_previous_pods(deployment, self._objects.replica_sets)
        return 0

    def _log(self, status: RolloutStatus) -> list[str]:
        for previous in dict.fromkeys((status.previous, False)):
            try:
                return self._cluster.logs(status.pod, status.container, previous=previous, lines=LAST_LINES)
            except ClusterError:
                continue
        return []

    def _last_event(self, pod: str) -> str:
        """Return the text of a pod's last event (image pulls, probes, volumes), of the last warning if there is one."""
        try:
            events = self._cluster.list("Event", fields=f"involvedObject.name={pod}")
        except ClusterError:
            return ""
        events = [event for event in events if event.get("message")]
        if not events:
            return ""
        last = max(events, key=lambda event: (event.get("type") == "Warning", _time_of(event)))
        return " ".join(str(last["message"]).split())[:MAX_EVENT].rstrip(".")


def _time_of(event: Mapping[str, Any]) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
