# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check before a deployment that its programs can listen on their ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import privileged_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import Program
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

PORTS_TIMEOUT = 5  # seconds until the ports of a process that was killed are free

Programs = Callable[[], Optional[Mapping[str, Program]]]  # evaluated at run time, on Python 3.9 too
_Conflict = tuple[host_ports.NeededPort, host_ports.Listener]


def check_ports(
    needed: Sequence[host_ports.NeededPort],
    workloads: Mapping[str, Workload],
    supervisord: SupervisordProcess,
    programs: Programs,
) -> None:
    """Return if this user may listen on all ports, and no program outside this deployment does.

    Args:
        needed: The ports of the deployment.
        workloads: The workloads by name.
        supervisord: The supervisord of the deployment folder, which may not run.
        programs: Returns the programs of supervisord by name, None if it does not answer.

    Raises:
        PlatformRefused: A port is in use, or this user may not listen on it.
    """
    if problem := privileged_ports.problem(needed, workloads):
        raise PlatformRefused(problem)
    conflicts: list[_Conflict] = []

    def is_settled() -> bool:
        used = host_ports.used_ports(needed)
        conflicts[:] = _outside(used, supervisord, programs) if used else []
        return not any(host_ports.is_closing(listener) for _port, listener in conflicts)

    wait_until(is_settled, PORTS_TIMEOUT)
    if conflicts:
        holders = {port: host_ports.describe(listener) for port, listener in conflicts}
        raise PlatformRefused(host_ports.conflict_text(holders))


def _outside(
    conflicts: Iterable[_Conflict], supervisord: SupervisordProcess, programs: Programs
) -> list[_Conflict]:
    """Return the conflicts with processes that are not programs of this supervisord, nor descendants of one."""
    running = {program.name: program.pid for program in (programs() or {}).values() if program.pid}
    own = {inode for pid in running.values() for inode in host_ports.socket_inodes(pid)}
    left = [(port, listener) for port, listener in conflicts if listener.inode not in own]
    if any(not listener.inode for _port, listener in left):  # this host has no /proc
        left = [(port, listener) for port, listener in left if listener.inode or port.workload not in running]
    if left:
        own = {inode for pid in supervisord.program_pids() for inode in host_ports.socket_inodes(pid)}
    return [(port, listener) for port, listener in left if listener.inode not in own]
