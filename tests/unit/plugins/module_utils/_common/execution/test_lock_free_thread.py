# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which threads allow a fork of their process."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.forked_process import can_fork
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.lock_free_thread import (
    LockFreeThread,
)


@pytest.mark.parametrize(
    ("kinds", "forks"), [((), True), ((LockFreeThread,), True), ((LockFreeThread, threading.Thread), False)]
)
def test_process_with_locking_threads_cannot_fork(
    monkeypatch: pytest.MonkeyPatch, kinds: tuple[type[threading.Thread], ...], forks: bool
) -> None:
    threads = [threading.current_thread(), *(kind() for kind in kinds)]
    monkeypatch.setattr(threading, "enumerate", lambda: threads)
    assert can_fork() == forks
