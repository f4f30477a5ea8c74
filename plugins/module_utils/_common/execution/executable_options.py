# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module executable_info as a function from its options to its result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import run

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "also_find": {"type": "list", "elements": "str", "default": []},
}


def perform(options: Mapping[str, Any], _check_mode: bool) -> dict[str, Any]:
    """Return whether an executable exists, and what it prints with `arguments`; in check mode too."""
    system = os.uname()
    result: dict[str, Any] = {
        "changed": False,
        "exists": shutil.which(options["path"]) is not None,
        "also_found": [name for name in options["also_find"] if shutil.which(name)],
        "system": f"{system.sysname} {system.machine}",
    }
    if options["arguments"]:
        # The key is not `rc`, because Ansible fails a task whose result has an `rc` other than 0.
        try:
            ended = run([options["path"], *options["arguments"]])
            result |= {"exit_code": ended.exit_code, "stdout": ended.stdout, "stderr": ended.stderr}
        except OSError as error:
            result |= {"exit_code": error.errno, "stdout": "", "stderr": error.strerror or ""}
    return result
