# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until no client uses a program that was replaced.

The kernel's table of connections has the answer for every program: an Envoy that drains, and an application of any kind. A connection
between two programs that both end counts only while one of them has another client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import PROC
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
)

# The inode of a connection that the program has not accepted yet.
_NOT_ACCEPTED = 0
# An Envoy confirms the removal of a host a moment before all its threads have removed the host. So two rounds have to agree.
_ROUNDS = 2
_PAUSE = 0.05  # seconds


class ServerConnections:
    """The connections of clients with the programs of `supervisord`."""

    def __init__(self, supervisord: SupervisordProcess, proc: Path = PROC) -> None:
        self._supervisord = supervisord
        self._proc = proc
        self._ports: dict[str, set[int]] = {}

    def note_ports(self, programs: Iterable[str]) -> None:
        """Note the ports that programs listen on, before they are replaced: an Envoy that drains has closed its listeners."""
        names = {*programs}
        if not names:
            return
        listeners = [one for table in self._tables() for one in host_ports.parse_table(table, "tcp")]
        for program, pids in self._pids(names).items():
            inodes = self._inodes(pids)
            found = {one.port for one in listeners if one.inode in inodes}
            self._ports.setdefault(program, set()).update(found)

    def wait_until_unused(self, ports: Mapping[str, Iterable[int]], timeout: float) -> list[str]:
        """Return when no client is connected with one of the programs; return the programs still in use after `timeout` seconds.

        Args:
            ports: The known ports of each program, by its name.
            timeout: Seconds.
        """
        if not ports:
            return []
        self.note_ports(ports)
        servers = {program: {*known, *self._ports.get(program, ())} for program, known in ports.items()}
        pids = self._pids(ports)
        used: list[str] = []
        unused_rounds = 0
        for _left in attempts(timeout, first_pause=_PAUSE, longest_pause=2 * _PAUSE):
            tables = self._tables()
            used = self._used(servers, pids, tables) if tables else [*servers]
            unused_rounds = 0 if used else unused_rounds + 1
            if unused_rounds == _ROUNDS:
                break
        return used

    def _used(
        self, servers: Mapping[str, set[int]], pids: Mapping[str, Iterable[int]], tables: Iterable[str]
    ) -> list[str]:
        inodes = {program: self._inodes(found) for program, found in pids.items()}
        ending = {inode for found in inodes.values() for inode in found}
        connections = [one for table in tables for one in host_ports.parse_connections(table)]
        owners = {(one.own, one.remote): one.inode for one in connections}
        return [
            program
            for program, ports in servers.items()
            if any(
                (one.inode in inodes[program] or one.inode == _NOT_ACCEPTED)
                and one.own[1] in ports
                and owners.get((one.remote, one.own)) not in ending
                for one in connections
            )
        ]

    def _pids(self, programs: Iterable[str]) -> dict[str, list[int]]:
        return self._supervisord.pids_by_program(programs)

    def _inodes(self, pids: Iterable[int]) -> set[int]:
        return {inode for pid in pids for inode in host_ports.socket_inodes(pid, self._proc)}

    def _tables(self) -> list[str]:
        paths = (self._proc / "net" / name for name in ("tcp", "tcp6"))
        return [path.read_text() for path in paths if path.exists()]
