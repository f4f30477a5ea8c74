# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two generations of an application can run at the same time, on ports of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import author_targets
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import placeholder_names
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import (
    PORT,
    server_placeholders,
    server_texts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import APP, ListeningPort
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout

QUIET = "deploy it while no requests are sent."


class Obstacle(NamedTuple):
    """Why an application is stopped before its new generation starts, and what avoids that."""

    reason: str
    remedy: str


def own_ports(layout: Layout, instance: Instance) -> list[ListeningPort]:
    """Return the ports that the application of an instance listens on."""
    names = [APP, *topology.server_ports(layout.demo, instance.group)]
    return [layout.ports[instance.group, name] for name in names if (instance.group, name) in layout.ports]


def port_placeholder(port: ListeningPort) -> str:
    """Return the placeholder of a port in the texts of its own server."""
    return PORT if port.name == APP else port.name


def is_fixed(layout: Layout, port: ListeningPort) -> bool:
    """Return whether a server states the number in its own texts, instead of a placeholder."""
    server = (layout.demo["services"].get(port.group) or {"server": None})["server"]
    if server is None or port.name not in (APP, *server["ports"]):
        return False
    return port_placeholder(port) not in server_placeholders(server)


def obstacle(
    layout: Layout,
    instance: Instance,
    callers: Mapping[tuple[str, str], str],
    shares_files: bool,
    shares_data: bool,
) -> Obstacle | None:
    """Return what prevents two generations of an application at the same time, or None.

    Args:
        layout: The layout of the demo.
        instance: The instance of a service.
        callers: The result of `callers_at_start`, which a caller computes once for all instances.
        shares_files: Whether all instances and generations of a service read the same files.
        shares_data: Whether all generations of an instance write to the same directory.
    """
    group = instance.group
    service = layout.demo["services"][group]
    server: Mapping[str, Any] | None = service["server"]
    ports = own_ports(layout, instance)
    if service["unix_socket"]:
        return Obstacle(
            "it listens on a Unix socket, and the path of a socket leads to one program",
            f"Use a port in services.{group}, or {QUIET}",
        )
    protocols = [
        service["protocol"],
        *(one["protocol"] for one in topology.server_ports(layout.demo, group).values()),
    ]
    if "udp" in protocols:
        return Obstacle(
            "it receives datagrams, which no connection leads to its new generation", QUIET.capitalize()
        )
    for port in ports:
        if is_fixed(layout, port):
            return Obstacle(
                f"its own command, environment or files state port {port.number}, on which two programs cannot listen",
                f"Use ${{{port_placeholder(port)}}} in the texts of services.{group}.server, or {QUIET}",
            )
        number = layout.stated_port(port, instance.replica)
        if number or layout.is_published(port, instance.replica):
            return Obstacle(
                f"it listens on port {number or layout.published_port(group, port.name, instance.replica)} of the host, on which two"
                " programs cannot listen",
                f"Publish a listener of a proxy in place of services.{group}, or {QUIET}",
            )
        if shares_files and server and port_placeholder(port) in _names_in_files(server):
            return Obstacle(
                "its files, which all replicas share, state its port",
                f"Use ${{{port_placeholder(port)}}} in the command or the environment of services.{group}.server, or {QUIET}",
            )
    if shares_data and server and "data" in server_placeholders(server):
        return Obstacle(
            "it writes to ${data}, a directory for one program",
            QUIET.capitalize(),
        )
    for port in ports:
        if caller := callers.get((port.group, port.name)):
            return Obstacle(
                f"{caller} reads its address only at start",
                f"Let {caller} call it through a cluster or a listener of a proxy, or {QUIET}",
            )
    return None


def callers_at_start(layout: Layout) -> dict[tuple[str, str], str]:
    """Return the key of the demo that has the address of a port in a text which is not a cluster of a proxy, by (group, port)."""
    demo = layout.demo
    found: dict[tuple[str, str], str] = {}
    for group, key in topology.groups(demo):
        for port in layout.referenced_ports(group).values():
            found.setdefault((port.group, port.name), key)
        for target in author_targets(demo, group):
            found.setdefault((target.group, target.name), f"{key}.config")
        service = demo["services"].get(group)
        for name, called in ((service and service["app"]) or {}).get("calls", {}).items():
            where = f"{key}.app.calls.{name}"
            found.setdefault(topology.resolve_target(demo, called, where), where)
    return found


def _names_in_files(server: Mapping[str, Any]) -> set[str]:
    return {
        name
        for key, text in server_texts(server)
        if key.startswith("files.")
        for name in placeholder_names(text)
    }
