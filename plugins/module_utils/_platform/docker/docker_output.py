# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docker and its compose plugin say, as data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import Listener

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
VERSION = "com.docker.compose.version"
FOLDER = "com.docker.compose.project.working_dir"

COLUMNS = (
    "{{.ID}}",
    f'{{{{.Label "{PROJECT}"}}}}',
    f'{{{{.Label "{SERVICE}"}}}}',
    "{{.State}}",
    "{{.Image}}",
    "{{.Ports}}",
    "{{.Names}}",
    f'{{{{.Label "{FOLDER}"}}}}',
)
_PUBLISHED = re.compile(r"(?P<address>\S+):(?P<first>\d+)(?:-(?P<last>\d+))?->[\d-]+/(?P<protocol>\w+)")
_STEP = re.compile(
    r"^\s*(?:DRY-RUN MODE -\s+)?Container\s+(?P<name>\S+)\s+(?P<what>[A-Z][a-z]+)\s*$", re.MULTILINE
)


@dataclass(frozen=True)
class Container:
    """A line of `docker ps`."""

    id: str
    project: str
    service: str
    state: str
    image: str
    listeners: tuple[Listener, ...]
    name: str
    folder: str = ""  # where its project was started, if it is one of compose's


@dataclass(frozen=True)
class Details:
    """What `docker inspect` says of a container of the project."""

    id: str
    service: str
    status: str
    health: str
    exit_code: int
    error: str
    restarts: int
    started: str
    shares: str  # id of the container whose network it uses
    pid: int
    addresses: tuple[tuple[str, str], ...]  # (its address, its gateway)
    compose: str
    image: str


def parse_container(line: str) -> Container:
    """Read a line of `docker ps` in our format."""
    identity, project, service, state, image, ports, name, folder = line.split("\t")
    return Container(identity, project, service, state, image, tuple(parse_ports(ports)), name, folder)


def parse_ports(text: str) -> Iterable[Listener]:
    """Read `127.0.0.1:8080-8081->80-81/tcp, :::53->53/udp`."""
    for match in _PUBLISHED.finditer(text):
        first = int(match["first"])
        for port in range(first, int(match["last"] or first) + 1):
            yield Listener(port, match["address"].strip("[]"), match["protocol"])


def parse_details(data: dict[str, Any]) -> Details:
    """Read one entry of `docker container inspect`."""
    state, labels = data["State"], data["Config"]["Labels"] or {}
    mode = data["HostConfig"]["NetworkMode"]
    networks = (data["NetworkSettings"].get("Networks") or {}).values()
    return Details(
        id=data["Id"],
        service=labels.get(SERVICE, ""),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=state["ExitCode"],
        error=state.get("Error", ""),
        restarts=data["RestartCount"],
        started=state["StartedAt"],
        shares=mode.removeprefix("container:") if mode.startswith("container:") else "",
        pid=state.get("Pid", 0),
        addresses=tuple((one["IPAddress"], one["Gateway"]) for one in networks if one.get("IPAddress")),
        compose=labels.get(VERSION, ""),
        image=data["Config"]["Image"],
    )


def parse_steps(text: str, project: str) -> dict[str, list[str]]:
    """Return what compose says that it did with each service, in order."""
    found: dict[str, list[str]] = {}
    name = re.compile(rf"(?:[0-9a-f]{{12}}_)?{re.escape(project)}-(?P<service>.+)-\d+")
    for step in _STEP.finditer(text):
        if match := name.fullmatch(step["name"]):
            found.setdefault(match["service"], []).append(step["what"])
    return found


def version(text: str) -> tuple[int, ...]:
    """Return the numbers that a version starts with."""
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else ()
