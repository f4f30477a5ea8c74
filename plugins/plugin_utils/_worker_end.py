# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a worker of ansible-playbook whose parent was killed.

A worker sends its result through a pipe of 64 KiB that it can read itself. After a SIGKILL of ansible-playbook no process reads the pipe,
so a worker with a larger result, such as a plan, would wait without end; and a deployment or traffic in a worker would go on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.lock_free_thread import (
    LockFreeThread,
)

INTERVAL = 0.2  # seconds
_started: set[int] = set()


def end_with_parent() -> None:
    """Start a thread that kills this worker and its children when ansible-playbook ends. Outside of a worker, do nothing."""
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None or os.getpid() in _started:
        return
    _started.add(os.getpid())
    LockFreeThread(target=_watch, args=(parent.pid,), daemon=True, name="end with parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    if os.getpgrp() == os.getpid():
        # Commands that the worker runs are in its process group; programs of a demo are not.
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
