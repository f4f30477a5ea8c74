# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy's watched files in a ConfigMap or Secret: written there, brought into the pods that mount it, and confirmed by each Envoy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    NOT_READ,
    UpdateCounts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_monitors import (
    PodMonitors,
    joined,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.upstream_hosts import (
    wait_for_first_hosts,
    wait_until_discovered,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    config_key,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_changes import (
    source_folder,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    ObjectKey,
    object_key,
    with_digest,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_volumes import (
    decoded_data,
    encoded_data,
    refresh_volumes,
)

# Seconds in which an Envoy reads a changed file after the refresh of its pod's volumes.
READ_TIMEOUT = 4.0


class ConfigMapTarget:
    """The ConfigMap of one proxy's watched files; see `config_target.ConfigTarget`.

    Sensitive files are in a Secret instead, whose data is in base64.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        proxy: ProxyPods,
        planned: Mapping[str, Any],
        paths: Sequence[str],
        existing: Mapping[str, Any] | None,
    ) -> None:
        """Create the target; nothing is requested yet.

        Args:
            cluster: The cluster.
            folder: The demo's state folder.
            proxy: The pods of the proxy.
            planned: The ConfigMap or Secret of the plan.
            paths: The paths of the watched files below `folder`.
            existing: The object in the cluster; None if it does not exist.
        """
        self.cluster, self.folder, self.proxy, self.planned = cluster, folder, proxy, planned
        self.paths = paths
        self.key: ObjectKey = object_key(planned)
        self.data: dict[str, str] = decoded_data(existing or {})
        # Whether an Envoy watches the ConfigMap. Its watched files then change only by `write` and `remove`.
        self._watched = False
        self._exists = existing is not None
        # Files that the last complete run did not write: the kubelet may still have to bring them into the pods.
        self._foreign = {self._key(path) for path in paths if self._exists and self._is_foreign(path)}
        self._written = ""  # the key that was written last
        self._monitors = PodMonitors(cluster, proxy, self.key, self._refresh)

    def is_running(self) -> bool:
        """Return whether an Envoy watches the ConfigMap.

        Raises:
            ConfigRefused: The pods, or the admin interface of a pod, cannot be reached.
        """
        try:
            monitors = self._monitors.update() if self._exists else {}
        except AdminUnreachable as error:
            raise ConfigRefused(f"The running pods are unknown: {error}.") from None
        self._watched = any(map_to_dict(lambda pod: monitors[pod].admin.is_running(), monitors).values())
        return self._watched

    def read(self, path: str) -> bytes | None:
        """Return the content of a file in the ConfigMap; None if the ConfigMap does not contain it."""
        text = self.data.get(self._key(path)) if self._exists else None
        return None if text is None else text.encode()

    def live_data(self) -> dict[str, str]:
        """Return the data that an Envoy watches, by key, as the object contains it: an apply must not change it."""
        keys = {self._key(path) for path in self.paths} if self._watched else set()
        watched = {key: text for key, text in self.data.items() if key in keys}
        return encoded_data(self.planned["kind"], watched)

    def set_applied(self, thing: Mapping[str, Any] | None) -> None:
        """Take over the data of the ConfigMap after an apply outside of this class; None is ignored."""
        if thing is not None:
            self.data, self._exists = decoded_data(thing), True

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Write a file to the ConfigMap and to the state folder. Raises OSError."""
        self._written = self._key(path)
        self._apply({**self.data, self._written: content.decode()})
        file_tree.write(self.folder, path, content, mode)

    def remove(self, path: str) -> None:
        """Remove a file from the ConfigMap and from the state folder. Raises OSError."""
        self._apply({key: text for key, text in self.data.items() if key != self._key(path)})
        file_tree.remove(self.folder, path)

    def update_counts(self, kind: str) -> dict[str, UpdateCounts]:
        """Return the counts of each pod that responds, by the pod's name.

        Raises:
            AdminUnreachable: A pod that responded before does not respond any more, although it still runs.
        """
        known = set(self._monitors.names())
        monitors = self._monitors.update()

        def counts_of(pod: str) -> UpdateCounts | None:
            try:
                return monitors[pod].update_counts(kind)
            except AdminUnreachable as error:
                if pod in known and self._monitors.is_running_pod(pod):
                    raise AdminUnreachable(f"pod {pod}: {error}") from None
                return None

        found = map_to_dict(counts_of, monitors)
        return {pod: counts for pod, counts in found.items() if counts is not None}

    def confirm(
        self,
        kind: str,
        before: Mapping[str, UpdateCounts],
        names: Collection[str],
        version: str,
        deadline: float,
    ) -> str:
        """Wait until each pod's Envoy has accepted the written file; see `ConfigTarget.confirm`.

        A changed cluster then also has a host, before a later file sends requests to it.
        """
        problem = self._confirm_written(kind, before, names, version, deadline)
        upstreams = [name for name in self.proxy.members if name in names]
        if problem or kind != "clusters" or not upstreams:
            return problem
        return self._monitors.problem(
            before, lambda _pod, monitor: wait_for_first_hosts(upstreams, monitor, deadline)
        )

    def _confirm_written(
        self,
        kind: str,
        before: Mapping[str, UpdateCounts],
        names: Collection[str],
        version: str,
        deadline: float,
    ) -> str:
        """Wait until each pod's Envoy has accepted the written file.

        Where the counts do not show that Envoy read this content, the content is written again with another version, and then
        once more as it is. This is so where a pod had the content already, and where the ConfigMap was changed by hand.
        """
        problems: Mapping[str, str] = {}
        if self._written not in self._foreign:
            first_deadline = min(deadline, time.monotonic() + READ_TIMEOUT)
            problems = self._confirm(kind, before, names, version, first_deadline)
            if NOT_READ not in problems.values():
                return joined(problems)
        self._foreign.discard(self._written)
        again = xds_file.with_other_version(self.data[self._written])
        for data in ({**self.data, self._written: again}, self.data):
            counts = self.update_counts(kind)
            self._apply(data)
            problems = self._confirm(
                kind, counts, names, xds_file.version_info(data[self._written]), deadline
            )
            if any(problems.values()):
                break
        return joined(problems)

    def _confirm(
        self,
        kind: str,
        before: Mapping[str, UpdateCounts],
        names: Collection[str],
        version: str,
        deadline: float,
    ) -> dict[str, str]:
        return self._monitors.problems(
            before,
            lambda pod, monitor: monitor.confirm(kind, before[pod], names, version, deadline),
        )

    def rejected_since(self, kind: str, before: Mapping[str, UpdateCounts]) -> str:
        """Return why an Envoy rejected a file since `before`; empty if none did."""
        return self._monitors.problem(before, lambda pod, monitor: monitor.rejected_since(kind, before[pod]))

    def rejected_since_start(self, kind: str) -> str:
        """Return why an Envoy rejected a file since its start; empty if none did."""
        return self._monitors.problem(
            self._monitors.update(), lambda _pod, monitor: monitor.rejected_since_start(kind)
        )

    def wait_until_drained(self, deadline: float, clusters: Collection[str] = ()) -> bool:
        """Wait for the previous listeners of all pods and for the requests in `clusters`; return whether there are none."""
        return not self._monitors.problem(
            self._monitors.update(),
            lambda _pod, monitor: "" if monitor.wait_until_drained(deadline, clusters) else "not drained",
        )

    def wait_until_replaced(self, serials: Mapping[int, str], deadline: float) -> str:
        """Wait until no pod's Envoy uses one of these certificates; see `ConfigTarget.wait_until_replaced`."""
        return self._monitors.problem(
            self._monitors.update(), lambda _pod, monitor: monitor.wait_until_replaced(serials, deadline)
        )

    def wait_until_discovered(self, timeout: float) -> str:
        """Wait until the Envoy of each pod has discovered its upstream pods; return which has not, or an empty text.

        Raises:
            AdminUnreachable: The admin interface of a running pod does not respond.
        """
        upstreams = self.proxy.members
        if not upstreams:
            return ""
        return self._monitors.problem(
            self._monitors.update(),
            lambda _pod, monitor: wait_until_discovered(self.cluster, upstreams, monitor, timeout),
        )

    def close(self) -> None:
        """Close the connections to the admin interfaces."""
        self._monitors.close()

    def _is_foreign(self, path: str) -> bool:
        written = file_tree.read(self.folder, path)
        return written is None or written[0] != self.read(path)

    def _key(self, path: str) -> str:
        return config_key(path.removeprefix(f"{source_folder(self.planned)}/"))

    def _apply(self, data: dict[str, str]) -> None:
        """Apply the whole ConfigMap, of whose fields this collection then is the only owner, and refresh the pods.

        Raises:
            OSError: The ConfigMap could not be changed; it is as before.
        """
        before = self.data
        try:
            self._set_data(data)
            map_to_dict(self._refresh, self._monitors.names())
        except ClusterError as error:
            if self.data is data:
                with contextlib.suppress(ClusterError):
                    self._set_data(before)
            raise OSError(error.message) from None

    def _set_data(self, data: dict[str, str]) -> None:
        self.cluster.apply(with_digest({**self.planned, "data": encoded_data(self.planned["kind"], data)}))
        self.data = data

    def _refresh(self, pod: str) -> None:
        refresh_volumes(self.cluster, pod, self.data)
