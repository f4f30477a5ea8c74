# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes the containers of a compose project."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import DockerReadiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    Status,
    settled_statuses,
)


class DockerObserver:
    """The observer of containers; see `observer.Observer`."""

    def __init__(self, demo: DeployedDemo) -> None:
        """Make an observer of the compose project of the demo's name."""
        self._docker = DockerCommand(demo.name, demo.folder)
        self._workloads = {workload.name: workload for workload in demo.workloads}
        self._bind = demo.bind

    def wait_until_settled(self, timeout: float) -> dict[str, Status]:
        """Return the status of each container that is not ready."""
        source = DockerReadiness(self._docker, self._workloads, self._bind)
        try:
            return settled_statuses(source, self._workloads, timeout)
        except (PlatformFailed, PlatformRefused):
            return {}
