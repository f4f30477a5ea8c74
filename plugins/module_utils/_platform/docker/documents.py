# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of platform `docker`: compose.yaml, as data.

`docker compose up` in the deployment folder runs the demo without Ansible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import DeployedNetwork
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    DEFINITION,
    PORTS,
    WORKLOAD,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.holder import (
    holder_names,
    holder_services,
    holders,
    service_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    start_command,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    EMPTY,
    Mount,
    Probe,
    Volume,
    Workload,
    WorkloadError,
    check_names,
    ranks,
)

FILE = "compose.yaml"
DIGEST = "MESHLAB_ENVOY_DIGEST"
LABEL = "meshlab.envoy.demo"
# Processes and threads of a container. The demo app has a thread for each connection, Envoy some ten and one for each of its workers.
PIDS_LIMIT = 1024


def compose(
    name: str,
    workloads: Sequence[Workload],
    bind: str,
    network: str | None = None,
    selinux_relabel: bool = False,
    networks: Mapping[str, DeployedNetwork] | None = None,
) -> dict[str, Any]:
    """Return compose.yaml as data.

    Args:
        name: The name of the compose project.
        workloads: The workloads, in any order.
        bind: The IP address that published ports are bound to.
        network: An existing network to join; None for a network of the project.
        selinux_relabel: Whether the files of the deployment folder get the SELinux label that containers can read.
        networks: The networks of the running deployment, see `holder.holders`.

    Raises:
        WorkloadError: A workload has no image, or refers to a workload that does not exist.
    """
    check_names(workloads)
    rank = ranks(workloads)
    found = holders(workloads, bind, networks)
    names = holder_names(workloads)
    services = holder_services(found, _common(name))
    for one in sorted(workloads, key=lambda workload: (rank[workload.name], workload.name)):
        services[service_name(one)] = _service(name, one, names)
    for service_key, service in services.items():
        _add_definition(service_key, service, network)
    document: dict[str, Any] = {"name": name, "services": services}
    if selinux_relabel:
        _relabel(document["services"])
    if network:
        document["networks"] = {"default": {"name": network, "external": True}}
    return document


def _common(project: str) -> dict[str, Any]:
    """Return the keys that all containers have: they have no privileges, start again after a crash, and keep a short log."""
    return {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "labels": {LABEL: project},
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}},
    }


def _service(project: str, workload: Workload, holder_of: Mapping[str, str]) -> dict[str, Any]:
    if not workload.image:
        raise WorkloadError(f"workload {workload.name}: has no image. A container needs one.")
    # Only an Envoy that takes over from another one needs the shell of `start_command`, which a distroless image does not have.
    program, *arguments = start_command(workload.command) if workload.generation else workload.command
    environment = {**workload.environment, **({DIGEST: workload.digest} if workload.digest else {})}
    holder = f"service:{holder_of[workload.name]}"
    common = _common(project)
    service: dict[str, Any] = {
        "image": workload.image,
        # Always set, because the entrypoint of an image can be the program or a script that takes the program.
        "entrypoint": [escaped(program)],
        "command": [escaped(argument) for argument in arguments],
        "environment": {key: escaped(value) for key, value in environment.items()},
        "working_dir": workload.directory if workload.directory.startswith("/") else None,
        "volumes": [_volume(mount) for mount in workload.mounts]
        + [_host_volume(one) for one in workload.volumes if one.kind != EMPTY],
        "user": workload.user,
        **common,
        "labels": {**common["labels"], WORKLOAD: workload.name, **_ports_label(workload)},
        "tmpfs": [
            "/tmp",  # noqa: S108  (in the container)
            *(f"{escaped(one.target)}:mode=1777" for one in workload.volumes if one.kind == EMPTY),
        ],
        "init": workload.init or None,
        "mem_limit": f"{workload.memory_mb}m" if workload.memory_mb else None,
        "cpus": workload.cpus,
        "pids_limit": PIDS_LIMIT,
        "healthcheck": _healthcheck(workload.probe),
        "stop_signal": None if workload.stop_signal == "TERM" else f"SIG{workload.stop_signal}",
        "stop_grace_period": f"{workload.stop_seconds}s",
        "depends_on": _depends_on(workload, holder_of),
        "network_mode": holder,
        "ipc": holder if workload.replacement == "hot_restart" else None,
    }
    return {key: value for key, value in service.items() if value not in (None, "", [], {})}


def _add_definition(name: str, service: dict[str, Any], network: str | None) -> None:
    """Add the label by which a deployment finds a container that has to be made again, because its definition differs.

    The digest of a workload covers its command, of which an admin interface changes a part live.
    """
    # The program of a later generation of an Envoy is the shell of `start_command`.
    covered = ("entrypoint", "command") if DIGEST in service.get("environment", {}) else ()
    live = (*covered, "depends_on")
    fields = {key: value for key, value in service.items() if key not in live}
    if "network_mode" not in service:
        fields["network"] = network
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]
    service["labels"] = {**service["labels"], DEFINITION: f"{name}.{digest}"}


def _ports_label(workload: Workload) -> dict[str, str]:
    """Return the label with the ports of a generation, which is removed when nothing is connected to them any more."""
    ports = sorted({port.number for port in workload.ports if port.protocol == "tcp"})
    return {PORTS: ",".join(map(str, ports))} if ports and workload.replacement == "overlap" else {}


def _volume(mount: Mount) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": escaped(_source(mount)),
        "target": escaped(mount.target),
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
    # Each check starts a process in the container: at 10 s, those of a hundred containers use two cores completely. A deployment runs
    # the probes itself; `docker compose up --wait` of a rendered document relies on the start period, in which Docker 25 and newer
    # check every 5 s until the container is healthy. Older engines reject `start_interval`.
    return {
        "test": ["CMD", *(escaped(argument) for argument in probe.command)],
        "interval": "30s",
        "start_period": "20s",
        "timeout": "10s",
        "retries": 3,
    }


def _depends_on(workload: Workload, holder_of: Mapping[str, str]) -> dict[str, Any]:
    """Return the holders that start before a workload: names of other instances resolve as soon as their holder runs."""
    started = {holder_of[name]: {"condition": "service_started"} for name in workload.after}
    # A new holder has a new network, so that the workloads that share it have to restart too.
    own = {holder_of[workload.name]: {"condition": "service_started", "restart": True}}
    return {**started, **own}


def escaped(text: str) -> str:
    """Escape `$`, which begins a variable in compose.yaml."""
    return text.replace("$", "$$")
