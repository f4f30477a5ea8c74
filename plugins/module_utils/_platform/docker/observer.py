# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes the containers of a compose project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    PROCESSES_AT_ONCE,
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.holder import service_name
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import DockerReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import (
    MAX_LOG_LINES,
    DeployedDemo,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    Status,
    settled_statuses,
)


class DockerObserver:
    """The observer of containers; see `observer.Observer`."""

    def __init__(self, demo: DeployedDemo) -> None:
        """Make an observer of the compose project of the demo's name."""
        self._docker = DockerCommand.of_host(demo.name, demo.folder)
        self._workloads = {workload.name: workload for workload in demo.workloads}
        self._bind = demo.bind

    def wait_until_settled(self, timeout: float, progress: Progress = no_progress) -> dict[str, Status]:
        """Return the status of each container that is not ready."""
        source = DockerReadiness(self._docker, self._workloads, self._bind, listening_suffices=True)
        try:
            return settled_statuses(source, self._workloads, timeout, progress=progress)
        except (PlatformFailed, PlatformRefused):
            return {}

    def recent_log_lines(
        self, workloads: Sequence[str], since: float, timeout: float
    ) -> Mapping[str, Sequence[str]]:
        """Return the last lines of `docker logs`."""

        def read(name: str) -> list[str]:
            workload = self._workloads.get(name)
            container = self._docker.container_name(service_name(workload) if workload else name)
            try:
                return self._docker.logs(container, MAX_LOG_LINES, since, timeout)
            except (PlatformFailed, PlatformRefused):
                return []

        return map_to_dict(read, workloads, PROCESSES_AT_ONCE)
