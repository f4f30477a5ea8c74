# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of applications in the network of their instance, where a new generation listens next to the previous one."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import HIGHEST_PORT
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.holder import (
    SUFFIX,
    published_numbers,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.service_replacement import (
    is_fixed,
    own_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import UNPRIVILEGED_PORT


def recorded_numbers(layout: Layout) -> dict[str, int]:
    """Return the numbers of the record that differ from those of the demo. One that another port of the network has is left out."""
    found: dict[str, int] = {}
    recorded = layout.context.deployed.inner
    for group in layout.demo["services"] if recorded else ():
        for instance in layout.instances(group):
            for port in own_ports(layout, instance):
                number = recorded.get(layout.port_key(port, instance.replica))
                if number and not is_fixed(layout, port) and number not in network_numbers(layout, instance):
                    found[layout.port_key(port, instance.replica)] = number
    return found


def moved_numbers(layout: Layout, instances: Iterable[Instance], present: dict[str, int]) -> dict[str, int]:
    """Return other numbers than the present ones for the ports of applications: that of the demo, or else the next free one."""
    found = dict(present)
    for instance in instances:
        taken = network_numbers(layout, instance)
        for port in own_ports(layout, instance):
            key = layout.port_key(port, instance.replica)
            # The number that the running generation listens on, which the record has if it is not that of the demo.
            running = layout.context.deployed.inner.get(key, port.number)
            if running != port.number:
                found.pop(key, None)
                continue
            found[key] = next(
                number
                for number in (
                    *range(port.number + 1, HIGHEST_PORT + 1),
                    *range(UNPRIVILEGED_PORT, port.number),
                )
                if number not in taken
            )
            taken.add(found[key])
    return found


def network_numbers(layout: Layout, instance: Instance) -> set[int]:
    """Return the numbers that the demo states for the network of an instance, and those that its holder publishes."""
    groups = [instance.group]
    if layout.demo[EXPORTER] is not None and layout.exporter_instance().name == instance.name:
        groups.append(EXPORTER)
    network = layout.context.deployed.networks.get(f"{instance.name}{SUFFIX}")
    published = published_numbers([network] if network else [])
    return published | {port.number for port in layout.ports.values() if port.group in groups}
