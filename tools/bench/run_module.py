# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's own time and memory: runs it once, in a process of its own, with the arguments on standard input.

    run_module.py envoy_stats < arguments.json

Prints as JSON the seconds that the module says it took, those from the arguments to the printed result (so with Ansible's own reading of
arguments and striking out of secrets, but without Python's start), the most memory that was resident, and what the result says.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

from ansible.module_utils.testing import patch_module_args


def main() -> None:
    arguments = json.load(sys.stdin)
    module = importlib.import_module(f"ansible_collections.meshlab.envoy.plugins.modules.{sys.argv[1]}")
    printed = io.StringIO()
    began = time.monotonic()
    with patch_module_args(arguments), redirect_stdout(printed), suppress(SystemExit):
        module.main()
    seconds = time.monotonic() - began
    resident = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    result = json.loads(printed.getvalue())
    print(
        json.dumps(
            {
                "seconds": result["elapsed"],
                "whole": seconds,
                "megabytes": int(resident[1]) / 1000 if resident else 0,
                "failed": bool(result.get("failed")),
                "message": result.get("msg", ""),
                "bytes": sum(one["bytes"] for one in result.get("endpoints", [])),
                "printed": len(printed.getvalue()),
            }
        )
    )


if __name__ == "__main__":
    main()
