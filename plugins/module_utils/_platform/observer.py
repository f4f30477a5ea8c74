# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface by which a verification observes a deployed demo: it changes nothing on the platform."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import Status
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess


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

    def wait_until_settled(self, timeout: float) -> dict[str, Status]:
        """Return when no workload can be expected to become ready any more, after `timeout` seconds at the latest.

        A workload that does not exist, was stopped or ended is not waited for.

        Returns:
            The status of each workload that is not ready. Nothing if the platform does not respond.
        """
