# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the memory of processes."""

from __future__ import annotations

import subprocess
import sys

from process_memory import descendants, watching

# A process that uses 60 MB, which its two forks share, and 40 MB in each fork.
PROGRAM = """
import os, time
held = bytearray(b"x") * 60_000_000
children = []
for _number in range(2):
    child = os.fork()
    if not child:
        own = bytearray(b"y") * 40_000_000
        time.sleep(1)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""


def test_memory_of_forks_is_added_and_shared_pages_count_once() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM]) as process, watching(process.pid) as most:
        process.wait(60)
    assert 135 < most[0] < 200


def test_descendants_include_grandchildren() -> None:
    inner = "import sys, time; print('ready', flush=True); time.sleep(60)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = list(descendants(process.pid))
        for one in found:
            subprocess.run(["kill", str(one)], check=True)
    assert len(found) == 1
