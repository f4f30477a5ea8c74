# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a service's own server: its files, its directories and the fields of its workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_texts import with_values
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import (
    check_placeholders,
    fill,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import (
    SERVER_PLACEHOLDERS,
    readiness_page,
    server_texts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import APP
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import PlannedDirectory
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_files import (
    planned_file,
    referenced_addresses,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File, digest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount, Port, Probe

HOME = "/etc/demo"
USER = "65534:65534"  # an unprivileged user


def check_servers(demo: Demo) -> None:
    """Raise DemoError for an unknown placeholder in the texts of a server."""
    addresses = topology.addressable_ports(demo)
    for name, service in demo["services"].items():
        own = (*SERVER_PLACEHOLDERS, *topology.server_ports(demo, name))
        for key, text in server_texts(service["server"]):
            check_placeholders(text, addresses, own, demo["file"], f"services.{name}.server.{key}")


def server_directories(platform: Platform) -> list[PlannedDirectory]:
    """Return the directories of the deployment folder that servers need."""
    return [
        {"path": path, "mode": mode, "host": instance.host}
        for name, service in platform.demo["services"].items()
        if service["server"] is not None
        for instance in platform.instances(name)
        for path, mode in platform.created_directories(instance)
    ]


def server_files(instance: Instance, platform: Platform) -> list[File]:
    """Return the files that the server of an instance reads."""
    server = platform.demo["services"][instance.group]["server"]
    values = _values(instance, platform)
    folder = platform.files_directory(instance)
    return [
        planned_file(f"{folder}/{path}", with_values(one, values), instance, platform)
        for path, one in server["files"].items()
    ]


def server_ports(instance: Instance, platform: Platform) -> tuple[Port, ...]:
    """Return the further ports of a server."""
    ports = topology.server_ports(platform.demo, instance.group)
    return tuple(service_port(instance, platform, name, port["protocol"]) for name, port in ports.items())


def service_port(instance: Instance, platform: Platform, name: str, protocol: str) -> Port:
    """Return a port of a service: that of its application, or a further one of its server. `protocol` is that of the demo."""
    group, replica = instance.group, instance.replica
    return Port(
        platform.port(group, name, replica),
        platform.published_port(group, name, replica),
        protocol="udp" if protocol == "udp" else "tcp",
        name=name,
        scheme=protocol,
        peers=platform.callers(group, name),
        metrics=topology.has_metrics(platform.demo, group, name),
    )


def server_fields(instance: Instance, platform: Platform, files: list[File]) -> dict[str, Any]:
    """Return the fields of the workload that are specific to a server."""
    service = platform.demo["services"][instance.group]
    server: Mapping[str, Any] = service["server"]
    values = _values(instance, platform)
    program, *arguments = (fill(one, values) for one in server["command"])
    packages = platform.server_packages(instance.group) if server["packages"] else None
    folder = platform.files_directory(instance)
    return {
        "image": platform.server_image(server, packages),
        "command": (platform.server_program(server, program, packages), *arguments),
        "packages": packages,
        "environment": {key: fill(value, values) for key, value in server["environment"].items()},
        "mounts": (platform.mounts(Mount(folder, HOME)) if files else ()) + platform.socket_mounts(instance),
        "directory": ".",
        "probe": _probe(instance, platform),
        "user": USER,
        "memory_mb": server["memory_mb"],
        "digest": digest(files),
    }


def _probe(instance: Instance, platform: Platform) -> Probe:
    service = platform.demo["services"][instance.group]
    if service["protocol"] == "udp":
        return Probe()
    if name := service["unix_socket"]:
        page = readiness_page(service["server"])
        path = platform.socket_in_folder(instance, name)
        return Probe("http" if page else "tcp", path=page or "", unix_socket=path)
    host = platform.own_address(instance.group, APP, instance.replica)
    port = platform.port(instance.group, APP, instance.replica)
    if page := readiness_page(service["server"]):
        return Probe("http", host=host, port=port, path=page)
    return Probe("tcp", host=host, port=port, path="")


def _values(instance: Instance, platform: Platform) -> dict[str, str]:
    """Return the value of each placeholder in the texts of a server."""
    name, replica = instance.group, instance.replica
    folder = platform.files_directory(instance)
    return {
        "address": platform.bind_address(name, APP, replica),
        "port": str(platform.port(name, APP, replica)),
        "files": platform.path_in_workload(folder, HOME),
        "data": platform.data_directory(instance),
        "unix_socket": platform.socket_path(instance, platform.demo["services"][name]["unix_socket"] or ""),
        **{key: str(platform.port(name, key, replica)) for key in topology.server_ports(platform.demo, name)},
        **referenced_addresses(instance, platform),
    }
