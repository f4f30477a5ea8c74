# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ports of this host are taken, and by whom."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.processes import PROC, name_of

_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


# Of how many workloads a complaint names the ports.
MOST_TOLD = 3


@dataclass(frozen=True)
class Wanted:
    """A port that `workload` is to have on `address`."""

    workload: str
    port: int
    address: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True)
class Listener:
    """Somebody's port. `inode` names its socket, 0 where it is not known."""

    port: int
    address: str
    protocol: str = "tcp"
    uid: int = 0
    inode: int = 0


def taken(wanted: Iterable[Wanted], proc: Path = PROC) -> list[tuple[Wanted, Listener]]:
    """Return each of `wanted` that has a listener in its way."""
    wanted = list(wanted)
    tables = [
        (protocol, proc / "net" / f"{protocol}{six}") for protocol in ("tcp", "udp") for six in ("", "6")
    ]
    if not tables[0][1].exists():
        return [(one, found) for one in wanted if (found := _tried(one))]
    used = {one.protocol for one in wanted}
    listeners = [
        one
        for protocol, table in tables
        if protocol in used and table.exists()
        for one in parse(table.read_text(), protocol)
    ]
    return [(one, found) for one in wanted for found in listeners if in_the_way(one, found)]


def in_the_way(wanted: Wanted, listener: Listener) -> bool:
    """Whether both cannot listen at once."""
    if (wanted.port, wanted.protocol) != (listener.port, listener.protocol):
        return False
    mine, theirs = _address(wanted.address), _address(listener.address)
    if mine is None or theirs is None:
        return True
    if mine == theirs:
        return True
    # "::" takes IPv4 along, as Linux has it by default.
    if theirs.is_unspecified and (theirs.version == 6 or mine.version == 4):
        return True
    return mine.is_unspecified and (mine.version == 6 or theirs.version == 4)


def parse(table: str, protocol: str) -> list[Listener]:
    """Return who listens according to one of /proc/net/{tcp,tcp6,udp,udp6}."""
    found = []
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 10 or (protocol == "tcp" and columns[3] != _LISTEN):
            continue
        address, _colon, port = columns[1].partition(":")
        # The kernel writes an address as 32-bit words in the machine's own order.
        packed = b"".join(bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8))
        plain = ipaddress.ip_address(packed)
        found.append(Listener(int(port, 16), str(plain), protocol, int(columns[7]), int(columns[9])))
    return found


def listens(pid: int, port: int, proc: Path = PROC) -> bool | None:
    """Return whether somebody listens on a TCP port in the network of a process; None where it cannot be known."""
    try:
        tables = [(proc / str(pid) / "net" / name).read_text() for name in ("tcp", "tcp6")]
    except OSError:
        return None
    return any(one.port == port for table in tables for one in parse(table, "tcp"))


def holder(inode: int, proc: Path = PROC) -> int | None:
    """Return the process that has the socket `inode` open, where this user may know."""
    for folder in proc.iterdir():
        if folder.name.isdigit() and inode in inodes(int(folder.name), proc):
            return int(folder.name)
    return None


def is_going(listener: Listener) -> bool:
    """Whether nobody has the socket any more: a process that was killed holds its ports a moment longer than its files."""
    visible = os.getuid() in (0, listener.uid)
    return bool(listener.inode) and visible and holder(listener.inode) is None


def inodes(pid: int, proc: Path = PROC) -> set[int]:
    """Return the sockets that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for link in os.scandir(proc / str(pid) / "fd"):
            with contextlib.suppress(OSError):
                if match := _SOCKET.fullmatch(os.readlink(link.path)):
                    found.add(int(match[1]))
    return found


def describe(listener: Listener) -> str:
    """Say who has a port, as far as this user may know."""
    pid = holder(listener.inode) if listener.inode else None
    if pid:
        return f"process {pid} ({name_of(pid) or 'name unknown'})"
    return f"a process of user {listener.uid}" if listener.inode else "another process"


def complaint(holders: Mapping[Wanted, str]) -> str:
    """Say which ports are taken and by whom, in one sentence; of many the first few."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for one, who in holders.items():
        grouped.setdefault((one.workload, who), []).append(str(one.port))
    told = [
        f"{'ports' if len(numbers) > 1 else 'port'} {', '.join(numbers)} of {workload}"
        f" {'are' if len(numbers) > 1 else 'is'} taken by {who}"
        for (workload, who), numbers in grouped.items()
    ]
    if len(told) > MOST_TOLD:
        told = [*told[:MOST_TOLD], f"so are those of {len(told) - MOST_TOLD} more workloads"]
    return "; ".join(told) + ": stop it, or choose another port"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _tried(wanted: Wanted) -> Listener | None:
    """Where there is no /proc: see whether the port can be had."""
    family = socket.AF_INET6 if ":" in wanted.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if wanted.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((wanted.address, wanted.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return Listener(wanted.port, wanted.address, wanted.protocol)
    return None
