# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a layout: unique names, unique ports in each network, and a placement that the demo can have."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import sidecar_workload
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import CONTEXT
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout


def check_layout(layout: Layout) -> None:
    """Raise DemoError if names or ports collide, or if the placement names no group or instance of the demo."""
    check_names(layout)
    check_ports(layout)
    known = [group for group, _key in topology.groups(layout.demo)]
    known += [one.name for group in known for one in layout.instances(group)]
    for name in layout.context.placement:
        check_known(name, known, CONTEXT, "placement", "group or instance")


def check_names(layout: Layout) -> None:
    """Raise DemoError if two workloads have the same name, such as proxy `web-1` and the first replica of service `web`."""
    demo = layout.demo
    taken: dict[str, str] = {}
    for group, key in topology.groups(demo):
        has_sidecar = group in demo["services"] and topology.proxy_of(demo, group) is not None
        for instance in layout.instances(group):
            for name in [instance.name, *([sidecar_workload(instance.name)] if has_sidecar else [])]:
                other = taken.setdefault(name, key)
                if other != key:
                    raise DemoError(
                        demo["file"],
                        f"{key}: the name '{name}' is already the name of an instance of {other}. Choose another name.",
                    )


def check_ports(layout: Layout) -> None:
    """Raise DemoError if two ports of one network have the same number."""
    taken: dict[tuple[str, str, int], str] = {}
    for group, name in layout.ports:
        for instance in layout.instances(group):
            label = f"{instance.name}/{name}"
            number = layout.port(group, name, instance.replica)
            _take(layout, taken, instance, layout.network_label(instance), number, label)
            published = layout.published_port(group, name, instance.replica)
            network = layout.publishing_label(instance)
            if published and network:
                _take(layout, taken, instance, network, published, label)


def _take(
    layout: Layout,
    taken: dict[tuple[str, str, int], str],
    instance: Instance,
    network: str,
    number: int,
    label: str,
) -> None:
    other = taken.setdefault((instance.host, network, number), label)
    if other != label:
        raise DemoError(
            layout.demo["file"],
            f"port {number}: both {other} and {label} use it on {network}. Change one of the ports.",
        )
