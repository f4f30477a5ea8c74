# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes the pods of a demo."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import object_names
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.readiness import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Rollouts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import (
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    DeployedDemo,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    Status,
    settled_statuses,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import network_owners

MOST_PODS = 10  # of each workload whose log is read


class KubernetesObserver:
    """The observer of pods; see `observer.Observer`."""

    def __init__(self, demo: DeployedDemo) -> None:
        """Make an observer of the objects with the label of the demo."""
        self._demo = demo
        self._selector = f"{object_names.DEMO}={demo.name}"
        self._containers = {workload.name: workload.container for workload in demo.workloads}
        # Workloads that share a network are the containers of one pod.
        owners = network_owners(demo.workloads)
        self._owners = {name: owner.group or owner.name for name, owner in owners.items()}
        self._groups = {object_names.object_name(demo.name, group): group for group in self._owners.values()}

    def wait_until_settled(self, timeout: float, progress: Progress = no_progress) -> dict[str, Status]:
        """Return the status of each Deployment that is not ready, by the name of its group."""
        if self._demo.access is None:
            return {}
        try:
            source = Rollouts(self._demo.access.cluster(), self._selector, self._groups)
            statuses = settled_statuses(
                source,
                self._groups,
                timeout,
                first_pause=FIRST_PAUSE,
                longest_pause=LONGEST_PAUSE,
                progress=progress,
                names=self._groups,
            )
        except (PlatformFailed, ClusterError):
            return {}
        return {self._groups[name]: status for name, status in statuses.items()}

    def recent_log_lines(
        self,
        workloads: Sequence[str],
        since: float,
        timeout: float,  # noqa: ARG002  (the client has its own timeout)
    ) -> Mapping[str, Sequence[str]]:
        """Return the last lines of the logs of the pods of each workload, of MOST_PODS at most."""
        if self._demo.access is None:
            return {}
        try:
            cluster = self._demo.access.cluster()
            pods = cluster.list("Pod", self._selector)
        except ClusterError:
            return {}
        by_group: dict[str, list[str]] = {}
        for pod in pods:
            group = pod["metadata"].get("labels", {}).get(object_names.NAME, "")
            by_group.setdefault(group, []).append(str(pod["metadata"]["name"]))

        seconds = max(1.0, time.time() - since)

        def read(source: tuple[str, str]) -> list[str]:
            pod, container = source
            try:
                return cluster.logs(pod, container, lines=MAX_LOG_LINES, seconds=seconds, size=MAX_LOG_BYTES)
            except ClusterError:
                return []

        sources = {
            name: [
                (pod, self._containers[name])
                for pod in by_group.get(object_names.dns(self._owners[name]), ())[:MOST_PODS]
            ]
            for name in workloads
            if name in self._owners
        }
        logs = map_to_dict(read, [one for group in sources.values() for one in group])
        return {name: [line for one in group for line in logs[one]] for name, group in sources.items()}
