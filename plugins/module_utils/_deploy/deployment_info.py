# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module deployment_info as a function from its options to its result."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import expanded_path
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.missing_programs import (
    PROGRAMS,
    missing_programs,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployed.port_assignment import BLOCK

ARGUMENTS: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "required": True},
    "programs": PROGRAMS,
    "cache": {"type": "path", "default": ""},
}

MIGRATE_CONNECTIONS = Path("/proc/sys/net/ipv4/tcp_migrate_req")
# The first ports of the blocks for demos without `ports`: above the blocks of the gallery, below the ephemeral ports of systems.
FREE_BLOCKS: range = range(14000, 32000, BLOCK)


def perform(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result. It changes nothing but the cache of versions, and in check mode nothing at all."""
    # As demo_deploy expands the folder of a plan: with HOME, which can differ from the home in the user database.
    folder = Path(expanded_path(options["folder"])).absolute()
    try:
        deployed = state_file.load(folder).deployed
    except ConfigRefused as error:
        return {"failed": True, "msg": str(error)}
    except OSError as error:
        message = f"{error.filename or folder}: {error_text(error)}. Correct that and run again."
        return {"failed": True, "msg": message}
    used = host_ports.numbers_in_use()
    return {
        "changed": False,
        "deployed": deployed.to_dict(),
        "used_ports": sorted(used),
        "free_block": free_block(str(folder), used),
        "migrates_connections": migrates_connections(),
        "missing_programs": missing_programs(
            options.get("programs") or (), options.get("cache") or "", check_mode
        ),
    }


def migrates_connections(setting: Path = MIGRATE_CONNECTIONS) -> bool:
    """Return whether the kernel gives the connections of a listening socket that is closed to another socket of its port.

    Linux has the setting since 5.14 (`tcp_migrate_req` in the kernel's documentation of IP sysctls).
    """
    try:
        return setting.read_text(encoding="ascii").strip() not in ("", "0")
    except (OSError, ValueError):
        return False


def free_block(folder: str, used: Collection[int]) -> int:
    """Return the first port of a free block. The search begins at a block that depends on the folder.

    So two demos that are planned at the same moment rarely get the same block. 0: no block is free.

    Example:
        >>> first = free_block("/state/shop", set())
        >>> first in FREE_BLOCKS, free_block("/state/shop", {first + 7}) == first
        (True, False)
    """
    start = int(hashlib.sha256(folder.encode()).hexdigest(), 16) % len(FREE_BLOCKS)
    for first in [*FREE_BLOCKS[start:], *FREE_BLOCKS[:start]]:
        if not any(first <= port < first + BLOCK for port in used):
            return int(first)
    return 0
