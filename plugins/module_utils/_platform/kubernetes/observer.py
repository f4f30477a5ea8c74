# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes the pods of a demo."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import object_names
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.readiness import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Rollouts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    Status,
    settled_statuses,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import network_owners


class KubernetesObserver:
    """The observer of pods; see `observer.Observer`."""

    def __init__(self, demo: DeployedDemo) -> None:
        """Make an observer of the objects with the label of the demo."""
        self._demo = demo
        self._selector = f"{object_names.DEMO}={demo.name}"
        # Workloads that share a network are the containers of one pod.
        owners = network_owners(demo.workloads).values()
        groups = [owner.group or owner.name for owner in owners]
        self._groups = {object_names.object_name(demo.name, group): group for group in groups}

    def wait_until_settled(self, timeout: float) -> dict[str, Status]:
        """Return the status of each Deployment that is not ready, by the name of its group."""
        if self._demo.access is None:
            return {}
        try:
            source = Rollouts(self._demo.access.cluster(), self._selector, self._groups)
            statuses = settled_statuses(
                source, self._groups, timeout, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE
            )
        except (PlatformFailed, ClusterError):
            return {}
        return {self._groups[name]: status for name, status in statuses.items()}
