# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output of docker and of its compose plugin, parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import Listener

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
VERSION = "com.docker.compose.version"
FOLDER = "com.docker.compose.project.working_dir"
# The name of the workload of which a container is a generation. A holder has none.
WORKLOAD = "meshlab.envoy.workload"
# The service and the digest of its definition, as in `edge.0123456789ab`.
DEFINITION = "meshlab.envoy.definition"
# The TCP ports that a container listens on, separated by commas.
PORTS = "meshlab.envoy.ports"

# The format of `docker ps` that `parse_listed` reads, one column each.
COLUMNS = (
    "{{.ID}}",
    f'{{{{.Label "{PROJECT}"}}}}',
    f'{{{{.Label "{SERVICE}"}}}}',
    "{{.State}}",
    "{{.Image}}",
    "{{.Ports}}",
    "{{.Names}}",
    f'{{{{.Label "{FOLDER}"}}}}',
    f'{{{{.Label "{WORKLOAD}"}}}}',
)
_PUBLISHED = re.compile(r"(?P<address>\S+):(?P<first>\d+)(?:-(?P<last>\d+))?->[\d-]+/(?P<protocol>\w+)")
_DEFINITION = re.compile(
    rf"{re.escape(DEFINITION)}[\"']?: [\"']?(?P<definition>(?P<service>[\w.-]+)\.[0-9a-f]{{12}})\b"
)

_UNITS = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
# A layer in the output of `docker pull` on a terminal, such as `5d487a3de13e: Downloading [=> ]  3.5MB/10.1MB`.
_LAYER = re.compile(
    r"(?P<layer>[0-9a-f]{12}): (?P<state>[A-Z][a-z ]+?)\s*(?:\[[=> ]*\]\s*)?"
    r"(?:(?P<done>[\d.]{1,9})\s?(?P<unit>[kMG]?B)/(?P<all>[\d.]{1,9})\s?(?P<all_unit>[kMG]?B))?\s*\r"
)


class PullOutput:
    """The layers of an image in the output of `docker pull` on a terminal."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[float, float]] = {}
        self._rest = ""

    def add(self, text: str) -> None:
        r"""Read a further part of the output.

        Example:
            >>> output = PullOutput()
            >>> output.add("5d487a3de13e: Downloading  3.5MB/10.1MB\r")
            >>> output.done, output.total
            (3500000.0, 10100000.0)
        """
        text = self._rest + text
        end = 0
        for found in _LAYER.finditer(text):
            end = found.end()
            _done, total = self._layers.get(found["layer"], (0.0, 0.0))
            if found["all"]:
                total = _bytes(found["all"], found["all_unit"])
            # The numbers of another state, such as Extracting, begin at 0 again.
            is_loading = found["state"] == "Downloading" and found["done"]
            done = _bytes(found["done"], found["unit"]) if is_loading else total
            self._layers[found["layer"]] = (done, total)
        self._rest = text[end:][-200:]

    @property
    def done(self) -> float:
        """Return the bytes that are downloaded."""
        return sum(done for done, _total in self._layers.values())

    @property
    def total(self) -> float:
        """Return the bytes of the layers whose download has begun."""
        return sum(total for _done, total in self._layers.values())


def _bytes(number: str, unit: str) -> float:
    try:
        return float(number) * _UNITS[unit]
    except ValueError:
        return 0.0


@dataclass(frozen=True)
class ListedContainer:
    """A line of `docker ps`.

    Attributes:
        listeners: Its published ports.
        folder: The working directory of its compose project.
        workload: The workload of which it is a generation. Empty: it is a holder, or of another project.
    """

    id: str
    project: str
    service: str
    state: str
    image: str
    listeners: tuple[Listener, ...]
    name: str
    folder: str = ""
    workload: str = ""

    @property
    def generation(self) -> int:
        """The generation of its workload, see `holder.service_name`."""
        number = self.service.removeprefix(f"{self.workload}-g")
        return int(number) if self.workload and number.isdigit() else 0


@dataclass(frozen=True)
class InspectedContainer:
    """A container of the project as `docker container inspect` shows it.

    Attributes:
        addresses: Pairs of its address and the gateway. A container that shares the network of another has none.
        ports: The TCP ports that it listens on.
        definition: The service and the digest of its definition.
        network: The id of the container whose network it shares. Empty: it has its own.
    """

    id: str
    service: str
    status: str
    health: str
    exit_code: int
    error: str
    restarts: int
    started: str
    pid: int
    addresses: tuple[tuple[str, str], ...]
    compose: str
    image: str
    ports: frozenset[int] = frozenset()
    definition: str = ""
    network: str = ""


def parse_listed(line: str) -> ListedContainer:
    """Return the container of a line of `docker ps` with the format COLUMNS, separated by tabs."""
    identity, project, service, state, image, ports, name, folder, workload = line.split("\t")
    listeners = tuple(parse_ports(ports))
    return ListedContainer(identity, project, service, state, image, listeners, name, folder, workload)


def listed_container(data: Mapping[str, Any]) -> ListedContainer:
    """Return the container of an entry of the API's list of containers (`GET /containers/json`)."""
    labels = data.get("Labels") or {}
    listeners = tuple(
        Listener(port["PublicPort"], port.get("IP", ""), port["Type"])
        for port in data.get("Ports") or ()
        if port.get("PublicPort")
    )
    # A container has a further name for each link to it, with the name of the other container before it.
    names = [name.removeprefix("/") for name in data["Names"] or ()]
    return ListedContainer(
        data["Id"],
        labels.get(PROJECT, ""),
        labels.get(SERVICE, ""),
        data["State"],
        data["Image"],
        listeners,
        next((name for name in names if "/" not in name), ""),
        labels.get(FOLDER, ""),
        labels.get(WORKLOAD, ""),
    )


def parse_ports(text: str) -> Iterable[Listener]:
    """Return the published ports of a container, from a text such as `127.0.0.1:8080-8081->80-81/tcp, :::53->53/udp`."""
    for match in _PUBLISHED.finditer(text):
        first = int(match["first"])
        for port in range(first, int(match["last"] or first) + 1):
            yield Listener(port, match["address"].strip("[]"), match["protocol"])


def parse_inspected(data: dict[str, Any]) -> InspectedContainer:
    """Return the container of one entry of `docker container inspect`."""
    state, labels = data["State"], data["Config"]["Labels"] or {}
    mode = data["HostConfig"].get("NetworkMode") or ""
    networks = (data["NetworkSettings"].get("Networks") or {}).values()
    return InspectedContainer(
        id=data["Id"],
        service=labels.get(SERVICE, ""),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=state["ExitCode"],
        error=state.get("Error", ""),
        restarts=data["RestartCount"],
        started=state["StartedAt"],
        pid=state.get("Pid", 0),
        addresses=tuple(
            (network["IPAddress"], network["Gateway"]) for network in networks if network.get("IPAddress")
        ),
        compose=labels.get(VERSION, ""),
        image=data["Config"]["Image"],
        ports=frozenset(int(port) for port in labels.get(PORTS, "").split(",") if port.isdigit()),
        definition=labels.get(DEFINITION, ""),
        network=mode.partition(":")[2] if mode.startswith("container:") else "",
    )


def definitions(document: str) -> dict[str, str]:
    """Return the definition of each service in the text of compose.yaml.

    Example:
        >>> definitions('meshlab.envoy.definition: edge-g2.0123456789ab')
        {'edge-g2': 'edge-g2.0123456789ab'}
    """
    return {found["service"]: found["definition"] for found in _DEFINITION.finditer(document)}


def parse_version(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version, an empty tuple where there are none.

    Example:
        >>> parse_version("v2.40.1")
        (2, 40)
    """
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else ()
