# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module once in this process, with its arguments on standard input, and print its time and memory as JSON.

    run_module.py envoy_stats < arguments.json

The output has `seconds`, the time that the module reports; `whole`, the seconds from the arguments to the printed result, which include
Ansible's checks of the arguments but not the start of Python; `megabytes`, the maximum resident memory; and parts of the result.
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
    """Run the module that the command line names."""
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
