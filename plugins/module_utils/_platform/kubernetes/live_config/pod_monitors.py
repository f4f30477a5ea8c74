# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitors of the Envoys that watch one ConfigMap or Secret, one for each pod."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    PodObject,
    container_statuses,
    pod_name,
    termination_reason,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_admin import (
    LOG_LINES,
    PodAdmin,
    PodMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import ObjectKey
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_volumes import mounts


class PodMonitors:
    """The monitors of a proxy's pods. Requests to several pods are sent at the same time."""

    def __init__(
        self, cluster: Cluster, proxy: ProxyPods, mounted: ObjectKey | None, refresh: Callable[[str], None]
    ) -> None:
        """Keep what the monitors need; nothing is requested yet.

        Args:
            cluster: The cluster.
            proxy: The pods of the proxy.
            mounted: The kind and the name of the ConfigMap or Secret that the pods mount. None: they can mount anything.
            refresh: Makes the kubelet update the volumes of the pod of this name. Raises ClusterError.
        """
        self._cluster, self._proxy, self._mounted = cluster, proxy, mounted
        self._refresh = refresh
        self._monitors: dict[str, PodMonitor] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the pods as of the last `update`."""
        return tuple(self._monitors)

    def update(self) -> Mapping[str, PodMonitor]:
        """Return the monitors by pod, of the pods that mount the object now and whose Envoy runs.

        Raises:
            AdminUnreachable: The pods cannot be listed.
        """
        try:
            pods = self._cluster.list("Pod", self._proxy.selector)
        except ClusterError as error:
            raise AdminUnreachable(error.message) from None
        names = {
            pod_name(pod)
            for pod in pods
            if (self._mounted is None or mounts(pod, *self._mounted))
            and not termination_reason(pod)
            and self._has_running_envoy(pod)
        }
        for name in self._monitors.keys() - names:
            self._monitors.pop(name).close()
        self._monitors = {name: self._monitors.get(name) or self._monitor(name) for name in sorted(names)}
        return self._monitors

    def problem(self, pods: Iterable[str], check: Callable[[str, PodMonitor], str]) -> str:
        """Return the problems that `check` finds in pods as one text; empty if there is none. See `problems`."""
        return joined(self.problems(pods, check))

    def problems(self, pods: Iterable[str], check: Callable[[str, PodMonitor], str]) -> dict[str, str]:
        """Return the problem that `check` finds in each pod; empty where there is none, or where the pod has gone.

        Args:
            pods: The names of the pods.
            check: Returns the problem of a pod, from its name and its monitor.

        Raises:
            AdminUnreachable: The admin interface of a running pod does not respond.
        """

        def problem_of(pod: str) -> str:
            known = self._monitors.get(pod)
            monitor = known or self._monitor(pod)
            try:
                return check(pod, monitor)
            except AdminUnreachable as error:
                if self.is_running_pod(pod):
                    raise AdminUnreachable(f"pod {pod}: {error}") from None
                return ""
            finally:
                if known is None:
                    monitor.close()

        return map_to_dict(problem_of, pods)

    def is_running_pod(self, pod: str) -> bool:
        """Return whether a pod exists and does not terminate; True where that cannot be found out."""
        try:
            found = self._cluster.get("Pod", pod)
        except ClusterError:
            return True
        return found is not None and not termination_reason(found)

    def close(self) -> None:
        """Close the connections to the admin interfaces."""
        for monitor in self._monitors.values():
            monitor.close()

    def _monitor(self, pod: str) -> PodMonitor:
        read_log = partial(self._cluster.logs, pod, self._proxy.container, lines=LOG_LINES)
        admin = PodAdmin(self._cluster, pod, self._proxy.port)
        return PodMonitor(admin, partial(self._refresh, pod), read_log)

    def _has_running_envoy(self, pod: PodObject) -> bool:
        return any(
            status["name"] == self._proxy.container and "running" in status.get("state", {})
            for status in container_statuses(pod)
        )


def joined(problems: Mapping[str, str]) -> str:
    """Return the problems of pods as one text, in which pods with the same problem are together.

    Example:
        >>> joined({"web-1": "not ready", "web-2": "", "web-3": "not ready"})
        'pod web-1 and 1 more: not ready'
    """
    pods_by_problem: dict[str, list[str]] = {}
    for pod, problem in problems.items():
        if problem:
            pods_by_problem.setdefault(problem, []).append(pod)
    return "; ".join(
        f"pod {pods[0]}{f' and {len(pods) - 1} more' if len(pods) > 1 else ''}: {problem}"
        for problem, pods in pods_by_problem.items()
    )
