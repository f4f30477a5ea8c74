# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workload: a process or container, described independently of the platform that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import plain_fields
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name

ProbeKind = Literal["http", "tcp", "none"]
Protocol = Literal["tcp", "udp"]
Replacement = Literal["hot_restart", "overlap", "stop", "rollout"]
EMPTY = "empty"  # the kind of a volume that is a new directory


# The first port that every user can bind by default (ip-sysctl in the kernel's documentation).
UNPRIVILEGED_PORT = 1024
UNPRIVILEGED_PORT_SYSCTL = "net.ipv4.ip_unprivileged_port_start"


class WorkloadError(ValueError):
    """Workloads that contradict each other or the platform: the workload, the problem and the remedy."""


@dataclass(frozen=True)
class Mount:
    """A directory of the deployment folder (`source`) that a container sees at the absolute path `target`.

    An absolute source is a directory or a Unix socket of the host.
    """

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Volume:
    """A volume outside the deployment folder, which a container sees at `target`.

    `kind` is `empty`, `host` (a directory of the host), `config_map`, `secret` or `claim` (objects of a cluster). `name` is the
    path or the name of the object.
    """

    kind: str
    target: str
    name: str = ""
    writable: bool = False


@dataclass(frozen=True)
class Port:
    """A port that a workload listens on. `published` is the port of the host, or of the Service, that forwards to it."""

    number: int
    published: int | None = None
    protocol: Protocol = "tcp"
    # The name of the port in the demo, and what it speaks: http, https, tcp, tls or udp.
    name: str = ""
    scheme: str = "tcp"
    # The groups of the demo that connect to the port, and whether it serves metrics. A NetworkPolicy refuses all others.
    peers: tuple[str, ...] = ()
    metrics: bool = False
    # Whether it presents a certificate of the author, which a router must not replace.
    own_certificate: bool = False


@dataclass(frozen=True)
class Probe:
    """The readiness probe of a workload.

    `http` expects a status below 400, `tcp` expects a connection, `none` expects that the process keeps running. `command`
    probes from inside a container, `host` is the address for probes of a process. `private` marks a port on the loopback
    interface of the container, which only `command` reaches. `unix_socket` is the path of a Unix socket in the deployment folder,
    to which the host connects instead of `port`.
    """

    kind: ProbeKind = "none"
    port: int = 0
    path: str = "/"
    command: tuple[str, ...] | None = None
    host: str = "127.0.0.1"
    private: bool = False
    unix_socket: str = ""


@dataclass(frozen=True)
class Packages:
    """Python packages that a workload needs, and where the deployment installs them.

    `requirements` is the text of a requirements file with hashes. On a host, `target` is the path of a virtual environment, which the
    Python `base` creates. For containers, `target` is the name of an image that is built from the image `base`, and pushed if `is_pushed`.
    """

    requirements: str
    base: str
    target: str
    is_pushed: bool = False


@dataclass(frozen=True)
class Workload:
    """One process, or one container, or one container in each of `replicas` pods."""

    name: str
    # The program and its arguments. The program of a process can start with `~/`, or be a name to find in PATH.
    command: tuple[str, ...]
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[Volume, ...] = ()
    ports: tuple[Port, ...] = ()
    probe: Probe = Probe()
    # The name of the workload whose network this one shares. None: it has its own network.
    network: str | None = None
    # The working directory: relative to the deployment folder for a process, absolute for a container ("." is that of the image).
    directory: str = "."
    # Further names by which other workloads reach it.
    aliases: tuple[str, ...] = ()
    hostname: str = ""
    user: str = ""
    memory_mb: int | None = None
    cpus: float | None = None
    # Whether the container needs an init process, for a program that leaves children behind or ignores SIGTERM as process 1.
    init: bool = False
    stop_signal: str = "TERM"  # without SIG
    stop_seconds: int = 10
    # The Bash command that closes connections gracefully before the container stops. Empty: none.
    drain: str = ""
    # The names of workloads that start before this one.
    after: tuple[str, ...] = ()
    # The hash of all that it reads only at start. The workload is replaced when the hash changes.
    digest: str = ""
    # The name of its group in the demo, and the number of pods if the workload describes all of them.
    group: str = ""
    replicas: int = 1
    # Its name among the containers of a pod, and whether it starts before and stops after the others.
    container: str = ""
    sidecar: bool = False
    # The name of the host that runs it.
    host: str = "default"
    # The image of the container that holds its network, which runs only `sleep`. Empty: its own image.
    holder_image: str = ""
    # How often it was replaced, and how a new generation takes over: see "How a workload is replaced" in docs/architecture.md.
    generation: int = 0
    replacement: Replacement = "stop"
    packages: Packages | None = None

    @property
    def program(self) -> str:
        """The name of this generation, by which a platform runs it: `edge`, or `edge.2` for generation 2."""
        return f"{self.name}.{self.generation}" if self.generation else self.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as a module takes it."""
        plain: dict[str, Any] = plain_fields(self)
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Workload:
        """Return the workload of data as `to_dict` returns it. A key that is missing or null has its default.

        Raises:
            WorkloadError: A key is unknown, missing or has a wrong value.
        """
        name = str(data.get("name") or "")
        if not name:
            raise WorkloadError("workloads: name is missing. Add it.")
        known = _known(cls, data, f"workload {name}")
        if not known.get("command"):
            raise WorkloadError(f"workload {name}: command is missing. Add the program and its arguments.")
        known["command"] = _strings(known["command"])
        known["environment"] = {str(key): str(value) for key, value in known.get("environment", {}).items()}
        known["mounts"] = tuple(
            Mount(**_known(Mount, one, f"workload {name}: mounts")) for one in known.get("mounts", ())
        )
        known["volumes"] = tuple(
            Volume(**_known(Volume, one, f"workload {name}: volumes")) for one in known.get("volumes", ())
        )
        known["ports"] = tuple(_port(one, f"workload {name}: ports") for one in known.get("ports", ()))
        known["probe"] = _probe(known.get("probe", {}), f"workload {name}: probe")
        if known.get("packages"):
            known["packages"] = Packages(**_known(Packages, known["packages"], f"workload {name}: packages"))
        for key in ("aliases", "after"):
            known[key] = _strings(known.get(key, ()))
        known["network"] = known.get("network") or None
        known["stop_signal"] = str(known.get("stop_signal", "TERM")).upper().removeprefix("SIG")
        return cls(**known)


def lowest_port(workloads: Iterable[Workload]) -> int:
    """Return the lowest port that one of `workloads` listens on, or UNPRIVILEGED_PORT if none is lower."""
    return min((port.number for one in workloads for port in one.ports), default=UNPRIVILEGED_PORT)


def network_owners(workloads: Iterable[Workload]) -> dict[str, Workload]:
    """Return the workload that owns the network of each workload, by name of the workload.

    Raises:
        WorkloadError: A workload names a workload that does not exist, or workloads name each other in a cycle.
    """
    by_name = {one.name: one for one in workloads}
    return {name: _network_owner(one, by_name) for name, one in by_name.items()}


def network_owner(workload: Workload, workloads: Iterable[Workload]) -> Workload:
    """Return the workload that owns the network of `workload`, which can be itself. Raises WorkloadError."""
    return _network_owner(workload, {one.name: one for one in workloads})


def ranks(workloads: Iterable[Workload]) -> dict[str, int]:
    """Return the length of the chain of `after` of each workload, 0 without `after`. Raises WorkloadError."""
    by_name = {one.name: one for one in workloads}
    found: dict[str, int] = {}

    def rank(name: str, chain: tuple[str, ...]) -> int:
        if name in chain:
            raise WorkloadError(
                f"workload {name}: after: cycle {' → '.join([*chain, name])}. Remove one of its entries."
            )
        if name not in found:
            found[name] = 1 + max(
                (rank(one, (*chain, name)) for one in _predecessors(by_name[name], by_name)), default=-1
            )
        return found[name]

    return {name: rank(name, ()) for name in by_name}


def check_names(workloads: Iterable[Workload]) -> None:
    """Raise WorkloadError if two workloads have the same name."""
    names: set[str] = set()
    for workload in workloads:
        if workload.name in names:
            raise WorkloadError(
                f"workload {workload.name}: two workloads have this name. Rename one of them."
            )
        names.add(workload.name)


def _network_owner(workload: Workload, by_name: Mapping[str, Workload]) -> Workload:
    owner, chain = workload, [workload.name]
    while owner.network:
        if owner.network not in by_name:
            raise WorkloadError(
                f"workload {owner.name}: network: {unknown_name('workload', owner.network, by_name)}"
            )
        owner = by_name[owner.network]
        if owner.name in chain:
            cycle = " → ".join([*chain, owner.name])
            raise WorkloadError(
                f"workload {workload.name}: network: cycle {cycle}. Remove one of its entries."
            )
        chain.append(owner.name)
    return owner


def _predecessors(workload: Workload, by_name: Mapping[str, Workload]) -> tuple[str, ...]:
    for name in workload.after:
        if name not in by_name:
            raise WorkloadError(f"workload {workload.name}: after: {unknown_name('workload', name, by_name)}")
    return workload.after


def _known(kind: Any, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    names = [one.name for one in fields(kind)]
    for key in data:
        if key not in names:
            raise WorkloadError(f"{where}: {unknown_name('key', key, names)}")
    return {key: value for key, value in data.items() if value is not None}


def _port(data: Mapping[str, Any], where: str) -> Port:
    known = _known(Port, data, where)
    port = Port(**{**known, "peers": _strings(known.get("peers", ()))})
    if port.protocol not in get_args(Protocol):
        raise WorkloadError(f"{where}: {unknown_name('protocol', port.protocol, get_args(Protocol))}")
    return port


def _probe(data: Mapping[str, Any], where: str) -> Probe:
    known = _known(Probe, data, where)
    if "command" in known:
        known["command"] = _strings(known["command"]) or None
    probe = Probe(**known)
    if probe.kind not in get_args(ProbeKind):
        raise WorkloadError(f"{where}: {unknown_name('kind', probe.kind, get_args(ProbeKind))}")
    return probe


def _strings(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
