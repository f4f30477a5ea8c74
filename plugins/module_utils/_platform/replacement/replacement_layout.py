# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a platform that describes how its workloads are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import DeployedNetwork
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.service_replacement import (
    QUIET,
    Obstacle,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Replacement, Workload


class ReplacementLayout:
    """What the planner must know of a platform to replace workloads without losing a request."""

    # How a new generation of a workload takes over, unless the planner chooses another way for it.
    replacement: ClassVar[Replacement] = "stop"
    # Fields of workloads that the programs of the platform do not depend on.
    unused_fields: ClassVar[tuple[str, ...]] = ()

    def complete_workloads(self, workloads: Sequence[Workload]) -> list[Workload]:
        """Return the workloads of the demo with the fields that only this platform sets."""
        return [*workloads]

    def sidecar_health_port(self, instance: Instance) -> int | None:
        """Return the port of the sidecar that the health check of the app requires, too. None: it requires none."""
        del instance
        return None

    def hot_restart_id(self, proxy: Proxy) -> int | None:
        """Return the base id by which the Envoys of `proxy` find each other for a hot restart. None: they do not restart hot."""
        del proxy
        return None

    def envoy_obstacle(self, workload: Workload) -> Obstacle | None:
        """Return what prevents two generations of an Envoy at the same time, or None."""
        del workload
        return None

    def service_obstacle(self, instance: Instance) -> Obstacle | None:
        """Return what prevents two generations of the application of an instance at the same time, or None."""
        del instance
        return Obstacle("its program cannot run twice", QUIET.capitalize())

    def service_replacement(self, instance: Instance) -> Replacement:
        """Return how a new generation of the application of an instance takes over."""
        if self.replacement == "stop" and self.service_obstacle(instance) is None:
            return "overlap"
        return self.replacement

    def fewer_threads_obstacle(self) -> Obstacle | None:
        """Return why an Envoy that gets fewer worker threads by hot restart can lose requests, or None."""
        return Obstacle(
            "and connections that the previous threads have not accepted are reset", QUIET.capitalize()
        )

    def move_ports(self, instances: Sequence[Instance]) -> None:
        """Choose other ports for the applications of `instances`, whose previous generations still listen on the present ones."""
        del instances

    def networks(self, workloads: Sequence[Workload]) -> dict[str, DeployedNetwork]:
        """Return each network that is replaced with all programs in it when its digest changes, by name."""
        del workloads
        return {}

    def instance_of_network(self, network: str) -> str:
        """Return the instance that a network of `networks` belongs to."""
        return network

    def network_warnings(self, workloads: Sequence[Workload]) -> list[str]:
        """Return what differs between the networks and the demo, because a network is not replaced for it."""
        del workloads
        return []
