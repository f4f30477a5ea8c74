# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface by which a verification observes a deployed demo: it changes nothing on the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import Status
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess


# Limit of the log that is read of one workload, in bytes and in lines.
MAX_LOG_BYTES = 262_144
MAX_LOG_LINES = 1000


@dataclass(frozen=True)
class DeployedDemo:
    """The demo that an observer observes.

    Attributes:
        name: The name of the demo.
        folder: The deployment folder, absolute and without symbolic links.
        workloads: The workloads of the demo.
        bind: The address that published ports are reached at.
        access: The access to the cluster of a plan that selects pods.
    """

    name: str
    folder: Path
    workloads: tuple[Workload, ...] = ()
    bind: str = "127.0.0.1"
    access: PodAccess | None = None


class Observer(Protocol):
    """Observes the workloads of one demo on one platform. No method raises an error, because a verification reports its own."""

    def __init__(self, demo: DeployedDemo) -> None:
        """Make an observer. Nothing is read."""

    def wait_until_settled(self, timeout: float, progress: Progress = no_progress) -> dict[str, Status]:
        """Return when no workload can be expected to become ready any more, after `timeout` seconds at the latest.

        A workload that does not exist, was stopped or ended is not waited for. `progress` receives what the wait is for.

        Returns:
            The status of each workload that is not ready. Nothing if the platform does not respond.
        """

    def recent_log_lines(
        self, workloads: Sequence[str], since: float, timeout: float
    ) -> Mapping[str, Sequence[str]]:
        """Return the last lines of the logs of workloads, MAX_LOG_BYTES or MAX_LOG_LINES of each at most.

        Args:
            workloads: The names of the workloads.
            since: Time in seconds since the epoch. Older lines are left out where the platform stores the time of a line.
            timeout: Limit of the whole call in seconds.

        Returns:
            The lines by workload; nothing for a workload whose log cannot be read.
        """
