# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of platform `docker`: compose.yaml, as data.

`docker compose up` in the deployment folder runs the demo without Ansible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_hosts import HOST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    EMPTY,
    UNPRIVILEGED_PORT,
    UNPRIVILEGED_PORT_SYSCTL,
    Mount,
    Port,
    Probe,
    Volume,
    Workload,
    WorkloadError,
    check_names,
    lowest_port,
    network_owners,
    ranks,
)

FILE = "compose.yaml"
DIGEST = "MESHLAB_ENVOY_DIGEST"
LABEL = "meshlab.envoy.demo"


def compose(
    name: str,
    workloads: Sequence[Workload],
    bind: str,
    network: str | None = None,
    selinux_relabel: bool = False,
) -> dict[str, Any]:
    """Return compose.yaml as data.

    Args:
        name: The name of the compose project.
        workloads: The workloads, in any order.
        bind: The IP address that published ports are bound to.
        network: An existing network to join; None for a network of the project.
        selinux_relabel: Whether the files of the deployment folder get the SELinux label that containers can read.

    Raises:
        WorkloadError: A workload has no image, or refers to a workload that does not exist.
    """
    check_names(workloads)
    rank = ranks(workloads)
    owners = {name: owner.name for name, owner in network_owners(workloads).items()}
    sharers: dict[str, list[Workload]] = {workload.name: [] for workload in workloads}
    for workload in workloads:
        sharers[owners[workload.name]].append(workload)
    ordered = sorted(workloads, key=lambda workload: (rank[workload.name], workload.name))
    document: dict[str, Any] = {
        "name": name,
        "services": {one.name: _service(name, one, owners[one.name], sharers, bind) for one in ordered},
    }
    if selinux_relabel:
        _relabel(document["services"])
    if network:
        document["networks"] = {"default": {"name": network, "external": True}}
    return document


def _service(
    project: str, workload: Workload, owner: str, sharers: Mapping[str, Sequence[Workload]], bind: str
) -> dict[str, Any]:
    if not workload.image:
        raise WorkloadError(f"workload {workload.name}: has no image. A container needs one.")
    program, *arguments = workload.command
    environment = {**workload.environment, **({DIGEST: workload.digest} if workload.digest else {})}
    service: dict[str, Any] = {
        "image": workload.image,
        # Always set, because the entrypoint of an image can be the program or a script that takes the program.
        "entrypoint": [_plain(program)],
        "command": [_plain(argument) for argument in arguments],
        "environment": {key: _plain(value) for key, value in environment.items()},
        "working_dir": workload.directory if workload.directory.startswith("/") else None,
        "volumes": [_volume(mount) for mount in workload.mounts]
        + [_host_volume(one) for one in workload.volumes if one.kind != EMPTY],
        "user": workload.user,
        "read_only": True,
        "tmpfs": [
            "/tmp",  # noqa: S108  (in the container)
            *(f"{_plain(one.target)}:mode=1777" for one in workload.volumes if one.kind == EMPTY),
        ],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "init": workload.init or None,
        "mem_limit": f"{workload.memory_mb}m" if workload.memory_mb else None,
        "cpus": workload.cpus,
        "healthcheck": _healthcheck(workload.probe),
        "restart": "unless-stopped",
        "stop_signal": None if workload.stop_signal == "TERM" else f"SIG{workload.stop_signal}",
        "stop_grace_period": f"{workload.stop_seconds}s",
        "depends_on": _depends_on(workload, owner),
        "labels": {LABEL: project},
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}},
        **_network(workload, owner, sharers[owner], bind),
    }
    return {key: value for key, value in service.items() if value not in (None, "", [], {})}


def _network(workload: Workload, owner: str, inside: Sequence[Workload], bind: str) -> dict[str, Any]:
    """Return the network keys: the owner of a network has the ports and the names of all workloads that share it."""
    if owner != workload.name:
        return {"network_mode": f"service:{owner}"}
    aliases = dict.fromkeys(alias for sharer in inside for alias in sharer.aliases if alias != workload.name)
    published = dict.fromkeys(
        _published(port, bind) for sharer in inside for port in sharer.ports if port.published
    )
    return {
        "hostname": workload.hostname,
        "ports": list(published),
        # Docker sets it to 0 by default since version 20.10, other engines do not.
        "sysctls": {UNPRIVILEGED_PORT_SYSCTL: 0} if lowest_port(inside) < UNPRIVILEGED_PORT else {},
        # A name for programs on the host itself: Docker Desktop has it, other engines do not.
        "extra_hosts": [f"{HOST}:host-gateway"],
        "networks": {"default": {"aliases": list(aliases)}} if aliases else {},
    }


def _published(port: Port, bind: str) -> str:
    host = f"[{bind}]" if ":" in bind else bind
    return f"{host}:{port.published}:{port.number}" + ("" if port.protocol == "tcp" else f"/{port.protocol}")


def _volume(mount: Mount) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": _plain(_source(mount)),
        "target": _plain(mount.target),
        "read_only": not mount.writable,
        # The daemon would create a missing folder as root.
        "bind": {"create_host_path": False},
    }


def _relabel(services: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the option `z` to the mounts of the deployment folder. Other paths of the host keep their labels."""
    for service in services.values():
        for volume in service.get("volumes", ()):
            if volume["source"].startswith("./"):
                volume["bind"]["selinux"] = "z"


def _source(mount: Mount) -> str:
    return mount.source if mount.source.startswith("/") else f"./{mount.source.removeprefix('./')}"


def _host_volume(volume: Volume) -> dict[str, Any]:
    return _volume(Mount(volume.name, volume.target, volume.writable))


def _healthcheck(probe: Probe) -> dict[str, Any]:
    if not probe.command:
        return {}
    # Without `start_interval`, which Docker Engine before version 25 rejects.
    return {
        "test": ["CMD", *(_plain(argument) for argument in probe.command)],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "start_period": "10s",
    }


def _depends_on(workload: Workload, owner: str) -> dict[str, Any]:
    conditions: dict[str, Any] = {name: {"condition": "service_started"} for name in workload.after}
    if owner != workload.name:
        # A restart of the owner replaces the network, so that workloads that share it have to restart too.
        conditions[owner] = {"condition": "service_started", "restart": True}
    return conditions


def _plain(text: str) -> str:
    """Escape `$`, which begins a variable in compose.yaml."""
    return text.replace("$", "$$")
