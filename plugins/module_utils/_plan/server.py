# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service's own program → its files, its folder, and what its workload has besides what all have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import placeholders, topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import filled
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import WORDS, ready, texts
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import APP
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.generated_files import File, digest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout, netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount, Port, Probe

FILES = "files"  # folder of what servers read, each in one of its own
DATA = "data"  # folder of what servers write
HOME = "/etc/demo"
SCRATCH = "/tmp"  # noqa: S108  (a container's own)
USER = "65534:65534"  # nobody


def check(demo: Demo) -> None:
    """Raise DemoError for a word in the texts of a server that stands for nothing."""
    places = topology.places(demo)
    for name, service in demo["services"].items():
        own = (*WORDS, *topology.server_ports(demo, name))
        for key, text in texts(service["server"]):
            placeholders.check(text, places, own, demo["file"], f"services.{name}.server.{key}")


def server_directories(layout: Layout) -> list[dict[str, str]]:
    """Return the folders that servers write to; a container has one of its own that goes with it."""
    if not layout.context.local:
        return []
    return [
        {"path": f"{DATA}/{instance}", "mode": "0700"}
        for name, service in layout.demo["services"].items()
        if service["server"] is not None
        for _replica, instance in layout.instances(name)
    ]


def server_files(name: str, replica: int, instance: str, layout: Layout) -> list[File]:
    """Return what the server of an instance reads; on `local`, where replicas listen on ports of their own, each has its own."""
    server = layout.demo["services"][name]["server"]
    values = _values(name, replica, instance, layout)
    folder = _folder(name, instance, layout)
    return [File(f"{folder}/{path}", filled(str(text), values)) for path, text in server["files"].items()]


def server_ports(name: str, replica: int, layout: Layout) -> tuple[Port, ...]:
    """Return the ports of a server besides the service's own."""
    ports = (layout.demo["services"][name]["server"] or {"ports": {}})["ports"]
    return tuple(
        Port(
            layout.port(name, key, replica),
            layout.published(name, key, replica),
            protocol="udp" if port["protocol"] == "udp" else "tcp",
            name=key,
            scheme=port["protocol"],
            peers=layout.peers(name, key),
            metrics=topology.has_metrics(layout.demo, name, key),
        )
        for key, port in ports.items()
    )


def server_fields(
    name: str, replica: int, instance: str, layout: Layout, files: list[File]
) -> dict[str, Any]:
    """Return what a workload of a server has besides what all have."""
    service = layout.demo["services"][name]
    server: Mapping[str, Any] = service["server"]
    values = _values(name, replica, instance, layout)
    program, *arguments = (filled(str(one), values) for one in server["command"])
    local = layout.context.local
    host, port = layout.inside(name, APP, replica), layout.port(name, APP, replica)
    return {
        "image": server["image"],
        "command": ((server["program"] or program) if local else program, *arguments),
        "environment": {key: filled(str(value), values) for key, value in server["environment"].items()},
        "mounts": (Mount(_folder(name, instance, layout), HOME),) if files and not local else (),
        "directory": ".",
        "probe": _probe(service, host, port),
        "user": USER,
        "memory_mb": server["memory_mb"],
        "digest": digest(files),
    }


def _probe(service: Mapping[str, Any], host: str, port: int) -> Probe:
    if service["protocol"] == "udp":
        return Probe()
    if page := ready(service["server"]):
        return Probe("http", host=host, port=port, path=page)
    return Probe("tcp", host=host, port=port, path="")


def _folder(name: str, instance: str, layout: Layout) -> str:
    return f"{FILES}/{instance if layout.context.local else name}"


def _values(name: str, replica: int, instance: str, layout: Layout) -> dict[str, str]:
    local = layout.context.local
    return {
        "address": layout.bind(name, APP, replica),
        "port": str(layout.port(name, APP, replica)),
        "files": _folder(name, instance, layout) if local else HOME,
        "data": f"{DATA}/{instance}" if local else SCRATCH,
        **{
            key: str(layout.port(name, key, replica))
            for key in layout.demo["services"][name]["server"]["ports"]
        },
        **_others(name, instance, layout),
    }


def _others(name: str, instance: str, layout: Layout) -> dict[str, str]:
    """Return where those are whom the server's texts name, as this instance of it sees them."""
    found: dict[str, str] = {}
    for place, slot in topology.told(layout.demo, name).items():
        host, port = layout.seen(slot.group, slot.name, instance)
        scheme = topology.spoken(layout.demo, slot.group, slot.name)
        found |= placeholders.address(place, scheme, netloc(host, port), host, port)
    return found
