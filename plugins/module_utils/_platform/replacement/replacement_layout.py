# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a platform that describes how its workloads are replaced."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


class ReplacementLayout:
    """What the planner must know of a platform to replace workloads without losing a request."""

    def complete_workloads(self, workloads: Sequence[Workload]) -> list[Workload]:
        """Return the workloads of the demo with the fields that only this platform sets."""
        return [*workloads]

    def sidecar_health_port(self, instance: Instance) -> int | None:
        """Return the port of the sidecar that the health check of the app requires, too. None: it requires none."""
        del instance
        return None
