# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permission of this user to bind ports below 1024."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import (
    NeededPort,
    unprivileged_start,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import PROC
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    UNPRIVILEGED_PORT_SYSCTL,
    Workload,
)

# CAP_NET_BIND_SERVICE in a mask of capabilities (linux/capability.h).
BIND_SERVICE = 1 << 10
# The extended attribute with the capabilities of an executable, which a start adds to those of the process.
FILE_CAPABILITY = "security.capability"


def problem(needed: Iterable[NeededPort], workloads: Mapping[str, Workload], proc: Path = PROC) -> str:
    """Return why this user cannot bind a port of `needed`, and the remedy. Empty: every port can be bound.

    Args:
        needed: The ports.
        workloads: The workloads by name, whose executables can have the permission.
        proc: The mount point of the proc file system.
    """
    start = unprivileged_start(proc)
    if can_bind_all(proc):
        return ""
    for one in needed:
        if one.port < start and not has_file_capability(workloads[one.workload].command[0]):
            return (
                f"port {one.port} of {one.workload}: this user cannot bind ports below {start}. Choose another port, or run as root:"
                f" sysctl -w {UNPRIVILEGED_PORT_SYSCTL}={one.port}"
            )
    return ""


def can_bind_all(proc: Path = PROC) -> bool:
    """Return whether this process, and so each program that it starts, can bind every port."""
    try:
        status = (proc / "self" / "status").read_text(encoding="utf-8")
    except OSError:
        return os.geteuid() == 0
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(found and int(found[1], 16) & BIND_SERVICE)


def has_file_capability(program: str) -> bool:
    """Return whether an executable, by name or path, gets capabilities when it starts (`setcap`)."""
    path = shutil.which(os.path.expanduser(program))
    try:
        return path is not None and bool(os.getxattr(path, FILE_CAPABILITY))
    except (OSError, AttributeError):
        return False
