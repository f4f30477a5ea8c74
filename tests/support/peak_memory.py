# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in a process of its own, as Ansible does, and measure its memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from collection_hooks import collections_folder

PROGRAM = """
import json, sys, time
from importlib import import_module
name, arguments = json.load(sys.stdin)
module = import_module(f"ansible_collections.meshlab.envoy.plugins.modules.{name}")
from ansible.module_utils.testing import patch_module_args
began = time.monotonic()
with patch_module_args(arguments):
    try:
        module.main()
    except SystemExit:
        pass
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
print(json.dumps([peak, time.monotonic() - began]), file=sys.stderr)
"""


@dataclass(frozen=True)
class Measured:
    """What a module returned, the megabytes of its process at most, and its seconds without the start of Python."""

    result: dict[str, Any]
    megabytes: float
    seconds: float


def run_measured(module: str, **arguments: Any) -> Measured:
    """Run a module with these options."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([module, arguments]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(collections_folder())},
    )
    assert done.returncode == 0, done.stderr
    kilobytes, seconds = json.loads(done.stderr.splitlines()[-1])
    return Measured(json.loads(done.stdout.splitlines()[-1]), kilobytes / 1000, seconds)
