# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a running Envoy can hand over to another version: both print the same hot-restart version."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import run
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import PROC

_TIMEOUT = 10  # seconds
_NUMBER = re.compile(r"[\d.]{1,20}")


def incompatible_versions(pid: int, executable: Path | None, proc: Path = PROC) -> tuple[str, str] | None:
    """Return the hot-restart versions of the running and the new Envoy where they differ; None where they do not, or are unknown.

    Args:
        pid: The process id of the running Envoy.
        executable: The new Envoy.
        proc: The folder of processes.
    """
    running = proc / str(pid) / "exe"  # it can be executed after an upgrade has replaced the file, too
    try:
        if executable is None or os.path.samefile(running, executable):
            return None
    except OSError:
        return None
    old, new = _version(running), _version(executable)
    return (old, new) if old and new and old != new else None


def _version(executable: Path) -> str:
    try:
        result = run([str(executable), "--hot-restart-version"], Path("/"), _TIMEOUT)
    except OSError:
        return ""
    # Envoy 1.36 to 1.40 print it to the standard error.
    printed = (result.stdout.strip() or result.stderr.strip()) if not result.timed_out else ""
    return printed if not result.exit_code and _NUMBER.fullmatch(printed) else ""
