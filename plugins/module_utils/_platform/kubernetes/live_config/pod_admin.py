# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin interface of the Envoy in one pod, and the monitor of that Envoy during a change of its watched files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminForbidden,
    AdminTimeout,
    AdminUnreachable,
    ConfigAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.subscription_stats import FEW
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_connection import (
        PodConnection,
    )

# Seconds after which a pod's volumes are refreshed again: the kubelet may have read the ConfigMap before it got the new one.
REFRESH_INTERVAL = 1.5
LOG_LINES = 500  # that are searched for an error
_MIN_TIMEOUT = 0.1  # seconds


class PodAdmin(ConfigAdmin):
    """The admin interface of a pod's Envoy, over one kept port-forward that is opened again after an error."""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        """Create the client for a port on the pod's loopback; nothing is connected to yet."""
        super().__init__(f"pod {pod}")
        self._cluster, self._pod, self._port = cluster, pod, port
        self._connection: PodConnection | None = None

    def get(self, path: str, timeout: float) -> str:
        """Return the body of a GET.

        Args:
            path: The path and the query.
            timeout: Seconds for all attempts together.

        Raises:
            AdminForbidden: The user has no permission for the port-forward.
            AdminUnreachable: The pod does not run, or nothing listens on the port.
            AdminTimeout: There was no response in time.
        """
        problem = ""
        for seconds_left in attempts(timeout):
            try:
                return self._connected().get(path, max(seconds_left, _MIN_TIMEOUT))
            except ScrapeError as error:
                problem = error.message
            except ClusterError as error:
                if error.reason in ("forbidden", "unauthorized"):
                    raise AdminForbidden(error.message) from None
                if error.reason in ("not_found", "refused"):
                    raise AdminUnreachable(error.message) from None
                problem = error.message
        raise AdminTimeout(problem)

    def close(self) -> None:
        """Close the port-forward."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> PodConnection:
        from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_connection import (
            PodConnection,
        )

        if self._connection is None:
            self._connection = PodConnection(self._cluster, self._pod, self._port)
        return self._connection


class PodMonitor(XdsMonitor):
    """The Envoy of one pod during a change."""

    # The kubelet replaces all files of a volume by one rename, after which Envoy reads all of them.
    read_together = FEW

    def __init__(
        self, client: PodAdmin, refresh: Callable[[], None], read_log: Callable[[], Sequence[str]]
    ) -> None:
        """Keep what the monitor needs.

        Args:
            client: The admin interface.
            refresh: Makes the kubelet update the volumes of the pod. Raises ClusterError.
            read_log: Returns the last lines of Envoy's log. Raises ClusterError.
        """
        super().__init__(client, lambda: _lines(read_log))
        self._admin = client
        self._refresh = refresh
        self._refreshed = time.monotonic()

    def close(self) -> None:
        """Close the connection to the admin interface."""
        self._admin.close()

    def on_wait(self) -> None:
        """Refresh the volumes of the pod once in REFRESH_INTERVAL seconds."""
        if time.monotonic() - self._refreshed > REFRESH_INTERVAL:
            self._refreshed = time.monotonic()
            with contextlib.suppress(ClusterError):
                self._refresh()


def _lines(read_log: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return the lines of a log; none where it cannot be read."""
    try:
        return read_log()
    except ClusterError:
        return ()
