# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports of this host that are in use, and the processes that use them."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import HIGHEST_PORT
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import (
    PROC,
    process_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import UNPRIVILEGED_PORT

# The states of sockets in /proc/net/tcp (include/net/tcp_states.h). A client of a connection in CLOSE_WAIT has sent its last byte and
# waits for the response.
_ESTABLISHED, _CLOSE_WAIT, _LISTEN = "01", "08", "0A"
# The protocol of each table in /proc/net.
_TABLES = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}
# Envoy appends the base id times 10, plus the epoch modulo 3 (hot_restarting_base.cc), and the kernel shows zero bytes as `@`.
_BASE_ID = re.compile(r"(\d+) @envoy_domain_socket_(?:udp_)?(?:parent|child)_(\d{1,6})@*$", re.MULTILINE)
_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")

# The protocol of a number by which Envoys find each other for a hot restart. It is no port, but as unique on the host.
HOT_RESTART = "hot_restart"
# Number of workloads whose ports an error names.
MOST_NAMED = 3


@dataclass(frozen=True)
class NeededPort:
    """A port that `workload` needs on `address`."""

    workload: str
    port: int
    address: str = "127.0.0.1"
    protocol: str = "tcp"

    @property
    def noun(self) -> str:
        """What the number is called."""
        return "base id" if self.protocol == HOT_RESTART else "port"


@dataclass(frozen=True)
class Listener:
    """A port in use. `inode` identifies its socket; 0 where it is unknown."""

    port: int
    address: str
    protocol: str = "tcp"
    uid: int = 0
    inode: int = 0


@dataclass(frozen=True)
class Connection:
    """One end of a TCP connection on this host. `inode` identifies its socket."""

    own: tuple[str, int]
    remote: tuple[str, int]
    inode: int


def used_ports(needed: Iterable[NeededPort], proc: Path = PROC) -> list[tuple[NeededPort, Listener]]:
    """Return each port of `needed` that is in use, with the listener that uses it."""
    needed = list(needed)
    net = proc / "net"
    if not (net / "tcp").exists():
        return [(port, found) for port in needed if (found := _bind_conflict(port))]
    used = {port.protocol for port in needed}
    listeners = [
        listener
        for table, protocol in _TABLES.items()
        if protocol in used and (net / table).exists()
        for listener in parse_table((net / table).read_text(), protocol)
    ]
    if HOT_RESTART in used:
        listeners += base_ids_in_use(proc)
    return [(port, found) for port in needed for found in listeners if conflicts(port, found)]


def numbers_in_use(proc: Path = PROC) -> set[int]:
    """Return the ports in use on this host, and the base ids of its Envoys. Empty on a host without /proc."""
    found: set[int] = set()
    for table, protocol in _TABLES.items():
        with contextlib.suppress(OSError):
            text = (proc / "net" / table).read_text()
            found |= {listener.port for listener in parse_table(text, protocol)}
    found |= {one.port for one in base_ids_in_use(proc)}
    return {number for number in found if 0 < number <= HIGHEST_PORT}


def base_ids_in_use(proc: Path = PROC) -> list[Listener]:
    """Return the base ids of the Envoys on this host, with the sockets by which they find each other."""
    try:
        table = (proc / "net" / "unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [
        Listener(int(number) // 10, "", HOT_RESTART, inode=int(inode))
        for inode, number in _BASE_ID.findall(table)
    ]


def conflicts(needed: NeededPort, listener: Listener) -> bool:
    """Return whether a port cannot be bound while the listener exists. Addresses that are no IP addresses conflict."""
    if (needed.port, needed.protocol) != (listener.port, listener.protocol):
        return False
    own, other = _ip_address(needed.address), _ip_address(listener.address)
    if own is None or other is None or own == other:
        return True
    # A listener on "::" accepts IPv4 too, which is the default of Linux (net.ipv6.bindv6only).
    if other.is_unspecified and (other.version == 6 or own.version == 4):
        return True
    return own.is_unspecified and (own.version == 6 or other.version == 4)


def parse_table(table: str, protocol: str) -> list[Listener]:
    """Return the listeners in the text of /proc/net/tcp, tcp6, udp or udp6 (proc_net_tcp in the kernel's documentation)."""
    found = []
    for line in table.splitlines()[1:]:
        # A busy host has thousands of connections: most lines are dismissed before they are split.
        if protocol == "tcp" and f" {_LISTEN} " not in line:
            continue
        columns = line.split()
        if len(columns) < 10 or (protocol == "tcp" and columns[3] != _LISTEN):
            continue
        address, port = _end(columns[1])
        found.append(Listener(port, str(address), protocol, int(columns[7]), int(columns[9])))
    return found


def parse_connections(table: str) -> list[Connection]:
    """Return the connections in use in the text of /proc/net/tcp or tcp6 (proc_net_tcp in the kernel's documentation)."""
    found = []
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) >= 10 and columns[3] in (_ESTABLISHED, _CLOSE_WAIT):
            ends = [(str(_unmapped(address)), port) for address, port in map(_end, columns[1:3])]
            found.append(Connection(ends[0], ends[1], int(columns[9])))
    return found


def listens(pid: int, port: int, proc: Path = PROC) -> bool | None:
    """Return whether a process listens on a TCP port in the network namespace of `pid`; None where that is not readable."""
    tables = _tcp_tables(pid, proc)
    if tables is None:
        return None
    return any(one.port == port for table in tables for one in parse_table(table, "tcp"))


def connections(pid: int, ports: Collection[int], proc: Path = PROC) -> int | None:
    """Return the number of TCP connections to `ports` in the network namespace of `pid`; None where that is not readable."""
    tables = _tcp_tables(pid, proc)
    if tables is None:
        return None
    return sum(one.own[1] in ports for table in tables for one in parse_connections(table))


def socket_process(inode: int, proc: Path = PROC) -> int | None:
    """Return the id of a process that has the socket `inode` open; None where this user can see none."""
    for folder in proc.iterdir():
        if folder.name.isdigit() and inode in socket_inodes(int(folder.name), proc):
            return int(folder.name)
    return None


def unprivileged_start(proc: Path = PROC) -> int:
    """Return the first port that every user can bind."""
    try:
        return int((proc / "sys" / "net" / "ipv4" / "ip_unprivileged_port_start").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return UNPRIVILEGED_PORT


def is_closing(listener: Listener) -> bool:
    """Return whether no process has the socket open: the kernel releases the port of a killed process after its files."""
    is_visible = os.getuid() in (0, listener.uid)
    return bool(listener.inode) and is_visible and socket_process(listener.inode) is None


def socket_inodes(pid: int, proc: Path = PROC) -> set[int]:
    """Return the inodes of the sockets that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for link in os.scandir(proc / str(pid) / "fd"):
            with contextlib.suppress(OSError):
                if match := _SOCKET_LINK.fullmatch(os.readlink(link.path)):
                    found.add(int(match[1]))
    return found


def describe(listener: Listener) -> str:
    """Return the process of a listener, or its user where this user cannot see the process."""
    pid = socket_process(listener.inode) if listener.inode else None
    if pid:
        return f"process {pid} ({process_name(pid) or 'name unknown'})"
    if listener.protocol == HOT_RESTART:
        return "another Envoy"
    return f"a process of user {listener.uid}" if listener.inode else "another process"


def conflict_text(holders: Mapping[NeededPort, str]) -> str:
    """Return the error text for ports in use.

    Args:
        holders: What uses each needed port, as in `process 12 (envoy)` or `container web-1`.

    Example:
        >>> conflict_text({NeededPort("edge", 8080): "process 12 (envoy)"})
        'port 8080 of edge is used by process 12 (envoy). Stop it, or choose another port'
    """
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for port, holder in holders.items():
        grouped.setdefault((port.noun, port.workload, holder), []).append(str(port.port))
    parts = [
        f"{noun}{'s' if len(numbers) > 1 else ''} {', '.join(numbers)} of {workload}"
        f" {'are' if len(numbers) > 1 else 'is'} used by {holder}"
        for (noun, workload, holder), numbers in grouped.items()
    ]
    if len(parts) > MOST_NAMED:
        parts = [*parts[:MOST_NAMED], f"ports of {len(parts) - MOST_NAMED} more workloads are used too"]
    if all(port.protocol == HOT_RESTART for port in holders):
        return "; ".join(parts) + ". Stop it, or choose another block of ports (ports: in the demo file)"
    return "; ".join(parts) + ". Stop it, or choose another port"


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return _unmapped(address)


def _unmapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address contains, or the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _end(column: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Return the address and the port of one end of a socket, such as `0100007F:1F90`."""
    text, _colon, port = column.partition(":")
    # The kernel writes an address as 32-bit words in the byte order of the machine.
    packed = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    return ipaddress.ip_address(packed), int(port, 16)


def _tcp_tables(pid: int, proc: Path) -> list[str] | None:
    try:
        return [(proc / str(pid) / "net" / name).read_text() for name in ("tcp", "tcp6")]
    except OSError:
        return None


def _bind_conflict(needed: NeededPort) -> Listener | None:
    """Return a listener without details where the port cannot be bound, for hosts without /proc."""
    family = socket.AF_INET6 if ":" in needed.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if needed.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((needed.address, needed.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return Listener(needed.port, needed.address, needed.protocol)
    return None
