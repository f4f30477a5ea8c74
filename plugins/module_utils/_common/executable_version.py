# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""executable_info as a function: its options in, its result out."""

from __future__ import annotations

import os
import shutil
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import run

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "also": {"type": "list", "elements": "str", "default": []},
}


def perform(options: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """Return what there is of a program, and what it says to `arguments`; in check mode as well, since it changes nothing."""
    system = os.uname()
    result: dict[str, Any] = {
        "changed": False,
        "exists": shutil.which(options["path"]) is not None,
        "also": [name for name in options["also"] if shutil.which(name)],
        "system": f"{system.sysname} {system.machine}",
    }
    if options["arguments"]:
        # No `rc`: a result whose rc is not 0 is a failure to Ansible.
        try:
            ran = run([options["path"], *options["arguments"]])
            result |= {"code": ran.exit_code, "stdout": ran.stdout, "stderr": ran.stderr}
        except OSError as error:
            result |= {"code": error.errno, "stdout": "", "stderr": error.strerror or ""}
    return result
