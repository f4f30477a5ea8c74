# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes the programs of the supervisord of a deployment folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import SOCKET
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.program_logs import (
    logs_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LocalReadiness,
    tail,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import Supervisor
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import (
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    DeployedDemo,
)
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

    def wait_until_settled(self, timeout: float, progress: Progress = no_progress) -> dict[str, Status]:
        """Return the status of each program that is not ready."""
        with Supervisor(self._folder / SOCKET) as supervisor:
            source = LocalReadiness(self._folder, self._workloads, supervisor)
            try:
                return settled_statuses(
                    source,
                    self._workloads,
                    timeout,
                    first_pause=FIRST_PAUSE,
                    longest_pause=LONGEST_PAUSE,
                    progress=progress,
                )
            except PlatformFailed:
                return {}

    def recent_log_lines(
        self,
        workloads: Sequence[str],
        since: float,  # noqa: ARG002  (a file has no time of a line)
        timeout: float,  # noqa: ARG002
    ) -> Mapping[str, Sequence[str]]:
        """Return the last lines of the log files, of the previous generation too: it answered requests until it was replaced."""
        return {
            name: [line for path in logs_of(self._folder, name)[-2:] for line in tail(path, MAX_LOG_BYTES)][
                -MAX_LOG_LINES:
            ]
            for name in workloads
        }
