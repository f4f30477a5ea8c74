# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes the programs of the supervisord of a deployment folder."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import SOCKET
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LocalReadiness,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import Supervisor
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    Status,
    settled_statuses,
)


class LocalObserver:
    """The observer of processes; see `observer.Observer`."""

    def __init__(self, demo: DeployedDemo) -> None:
        """Make an observer of the supervisord of the demo's folder."""
        self._folder = demo.folder
        self._workloads = {workload.name: workload for workload in demo.workloads}

    def wait_until_settled(self, timeout: float) -> dict[str, Status]:
        """Return the status of each program that is not ready."""
        with Supervisor(self._folder / SOCKET) as supervisor:
            source = LocalReadiness(self._folder, self._workloads, supervisor)
            try:
                return settled_statuses(
                    source, self._workloads, timeout, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE
                )
            except PlatformFailed:
                return {}
