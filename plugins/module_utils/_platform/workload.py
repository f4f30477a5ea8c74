# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something to run, said without naming a platform; a platform's document is made from these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

ProbeKind = Literal["http", "tcp", "none"]
Protocol = Literal["tcp", "udp"]


class WorkloadError(ValueError):
    """Workloads that cannot be run as they are described: which, and why."""


@dataclass(frozen=True)
class Mount:
    """`source`, relative to the state folder, seen at the absolute path `target`; in containers only."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Port:
    """A port that the workload listens on; `published` is the port for it in front of a container: the host's, or a Service's."""

    number: int
    published: int | None = None
    protocol: Protocol = "tcp"
    # What the demo calls it, and what is spoken there: http, https, tcp, tls or udp.
    name: str = ""
    scheme: str = "tcp"
    # Who of the demo connects to it, by group; and whether it shows metrics. Where a network has policies, nobody else may.
    peers: tuple[str, ...] = ()
    metrics: bool = False


@dataclass(frozen=True)
class Probe:
    """What tells that a workload serves.

    An answer below 400 to a GET (http), a connection (tcp), nothing but that it keeps running (none). `command` is
    how a container asks itself; on `local` the module asks `host`. `private` is a port on the container's own loopback,
    which only the container itself can ask.
    """

    kind: ProbeKind = "none"
    port: int = 0
    path: str = "/"
    command: tuple[str, ...] | None = None
    host: str = "127.0.0.1"
    private: bool = False


@dataclass(frozen=True)
class Workload:
    """One process, or one container; in pods, one container of each of `replicas` pods."""

    name: str
    # The program and its arguments. On `local` the program may start with `~/`, or be a name to find in PATH.
    command: tuple[str, ...]
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    probe: Probe = Probe()
    # The workload whose network this one uses; None: it has its own.
    network: str | None = None
    # Where it runs: on `local` relative to the state folder, in a container absolute ("." is the image's own).
    directory: str = "."
    # Names by which other workloads reach it, besides its own.
    aliases: tuple[str, ...] = ()
    hostname: str = ""
    user: str = ""
    memory_mb: int | None = None
    cpus: float | None = None
    # A container needs an init where a program leaves children behind, or as process 1 does not end on SIGTERM.
    init: bool = False
    stop_signal: str = "TERM"  # without SIG
    stop_seconds: int = 10
    # What bash runs in a pod's container that is to go, so that clients of kept connections go elsewhere; '': nothing.
    drain: str = ""
    # Workloads to be started before this one.
    after: tuple[str, ...] = ()
    # Of the files that it reads at start only: where it differs, the workload is restarted.
    digest: str = ""
    # What a demo file calls it; and, where one workload stands for all of a group's pods, their number.
    group: str = ""
    replicas: int = 1
    # What it is to those whose network it shares: its name among a pod's containers …
    container: str = ""
    # … and whether it serves them: it starts before, and stops after them.
    sidecar: bool = False
    # The name of the host that runs it.
    host: str = "default"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as a module takes it."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Workload:
        """Return the workload that `to_dict` described; what is missing or null has its default.

        Raises WorkloadError.
        """
        name = str(data.get("name") or "")
        if not name:
            raise WorkloadError("a workload needs a name")
        known = _known(cls, data, f"workload {name}")
        if not known.get("command"):
            raise WorkloadError(f"workload {name} needs a command: the program and its arguments")
        known["command"] = _strings(known["command"])
        known["environment"] = {str(key): str(value) for key, value in known.get("environment", {}).items()}
        known["mounts"] = tuple(
            Mount(**_known(Mount, one, f"workload {name}: mounts")) for one in known.get("mounts", ())
        )
        known["ports"] = tuple(_port(one, f"workload {name}: ports") for one in known.get("ports", ()))
        known["probe"] = _probe(known.get("probe", {}), f"workload {name}: probe")
        for key in ("aliases", "after"):
            known[key] = _strings(known.get(key, ()))
        known["network"] = known.get("network") or None
        known["stop_signal"] = str(known.get("stop_signal", "TERM")).upper().removeprefix("SIG")
        return cls(**known)


def network_owner(workload: Workload, workloads: Iterable[Workload]) -> Workload:
    """Return the workload whose network `workload` uses in the end, perhaps its own. Raises WorkloadError."""
    by_name = {one.name: one for one in workloads}
    owner, seen = workload, [workload.name]
    while owner.network:
        if owner.network not in by_name:
            raise WorkloadError(f"workload {owner.name}: network: there is no workload '{owner.network}'")
        owner = by_name[owner.network]
        if owner.name in seen:
            circle = " → ".join([*seen, owner.name])
            raise WorkloadError(f"workload {workload.name}: network: {circle} goes round in a circle")
        seen.append(owner.name)
    return owner


def ranks(workloads: Iterable[Workload]) -> dict[str, int]:
    """Return how many workloads deep the `after` of each goes, 0 where it has none. Raises WorkloadError."""
    by_name = {one.name: one for one in workloads}
    found: dict[str, int] = {}

    def rank(name: str, seen: tuple[str, ...]) -> int:
        if name in seen:
            raise WorkloadError(f"workload {name}: after: {' → '.join([*seen, name])} goes round in a circle")
        if name not in found:
            found[name] = 1 + max(
                (rank(one, (*seen, name)) for one in _before(by_name[name], by_name)), default=-1
            )
        return found[name]

    return {name: rank(name, ()) for name in by_name}


def check_names(workloads: Iterable[Workload]) -> None:
    """Raise WorkloadError where two workloads have one name."""
    seen: set[str] = set()
    for workload in workloads:
        if workload.name in seen:
            raise WorkloadError(f"there are two workloads named '{workload.name}'")
        seen.add(workload.name)


def _before(workload: Workload, by_name: Mapping[str, Workload]) -> tuple[str, ...]:
    for name in workload.after:
        if name not in by_name:
            raise WorkloadError(f"workload {workload.name}: after: there is no workload '{name}'")
    return workload.after


def _known(kind: Any, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    names = [one.name for one in fields(kind)]
    for key in data:
        if key not in names:
            raise WorkloadError(f"{where}: there is no key '{key}'; there is: {', '.join(names)}")
    return {key: value for key, value in data.items() if value is not None}


def _port(data: Mapping[str, Any], where: str) -> Port:
    known = _known(Port, data, where)
    port = Port(**{**known, "peers": _strings(known.get("peers", ()))})
    if port.protocol not in get_args(Protocol):
        choices = ", ".join(get_args(Protocol))
        raise WorkloadError(f"{where}: protocol '{port.protocol}' is not one of {choices}")
    return port


def _probe(data: Mapping[str, Any], where: str) -> Probe:
    known = _known(Probe, data, where)
    if "command" in known:
        known["command"] = _strings(known["command"]) or None
    probe = Probe(**known)
    if probe.kind not in get_args(ProbeKind):
        raise WorkloadError(f"{where}: kind '{probe.kind}' is not one of {', '.join(get_args(ProbeKind))}")
    return probe


def _strings(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
