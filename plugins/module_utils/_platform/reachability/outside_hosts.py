# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses of programs outside the demo that run on the host itself, as a proxy of each platform reaches them."""

from __future__ import annotations

import ipaddress

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout

# The name of the host of containers. Docker Desktop introduced it.
HOST = "host.docker.internal"


def is_loopback(address: str) -> bool:
    """Return whether an address is that of the network of its reader."""
    return address == "localhost" or (is_ip(address) and ipaddress.ip_address(address).is_loopback)


def check_outside_address(
    layout: Layout, proxy: Proxy, address: str, port: int, where: str, host_name: str
) -> None:
    """Raise DemoError for an address of the host that a proxy in a container cannot reach.

    A loopback address is valid if the demo states a program in the container that listens on the port, or can have one.

    Args:
        layout: The layout of the demo.
        proxy: The proxy that connects.
        address: The address that the demo states.
        port: The port that the demo states.
        where: The key of the cluster.
        host_name: The name by which containers reach the host. Empty: they have none.
    """
    remedy = (
        f"Use '{host_name}' for a program on the host."
        if host_name
        else "Use an address that pods of the cluster reach, or state the platform in 'unsupported_on'."
    )
    problem = ""
    if address == HOST != host_name:
        problem = "is the name of the host of a container, which a pod does not have."
    elif is_loopback(address) and not _can_listen(layout, proxy, port):
        problem = f"is the container of {proxy.name} itself, in which nothing listens on port {port}."
    if problem:
        raise DemoError(layout.demo["file"], f"{where}.address: '{address}' {problem} {remedy}")


def _can_listen(layout: Layout, proxy: Proxy, port: int) -> bool:
    """Return whether a program in the network of a proxy listens on a port, or can do so.

    A server, and fields in Envoy's own format, can listen on ports that the demo does not state.
    """
    service = layout.demo["services"].get(proxy.group)
    if service is not None and service["server"] is not None:
        return True
    own_listeners = (proxy.spec["bootstrap"].get("static_resources") or {}).get("listeners")
    if own_listeners or any(one["listener"] for one in proxy.spec["listeners"].values()):
        return True
    return any(
        port == layout.port(group, name, proxy.replica)
        for group, name in layout.ports
        for instance in layout.instances(group)
        if layout.network_label(instance) == layout.network_label(proxy)
    )
