# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls in the network namespace of a container, which reach a listener on its loopback without a process in the container."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_processes import PROC

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000  # linux/sched.h


def call_in_network_of(pid: int, call: Callable[[], T], proc: Path = PROC) -> T | None:
    """Return what `call` returns in the network namespace of a process. None: this user may not enter it.

    The namespace belongs to a thread of its own, which ends with the call: setns(2) moves only the calling thread.

    Raises:
        Exception: The exception of `call`.
    """
    if not sys.platform.startswith("linux"):
        return None
    results: list[T] = []
    errors: list[BaseException] = []

    def enter_and_call() -> None:
        try:
            if _enter(pid, proc):
                results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter_and_call, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0] if results else None


def _enter(pid: int, proc: Path) -> bool:
    """Move this thread into the network namespace of a process. False: it has ended, or this user may not."""
    try:
        namespace = os.open(proc / str(pid) / "ns" / "net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # os.setns is in Python 3.12 and newer.
        return bool(ctypes.CDLL(None).setns(namespace, _CLONE_NEWNET) == 0)
    except (OSError, AttributeError):  # a C library without setns
        return False
    finally:
        os.close(namespace)
