# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The thread that ends a worker with its parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from types import SimpleNamespace

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.lock_free_thread import (
    LockFreeThread,
)
from ansible_collections.meshlab.envoy.plugins.plugin_utils import _worker_end


def test_worker_can_fork_although_it_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[threading.Thread] = []
    ended = threading.Event()

    def watch(parent: int) -> None:
        assert parent == os.getppid()
        ran.append(threading.current_thread())
        ended.set()

    monkeypatch.setattr(_worker_end, "_watch", watch)
    monkeypatch.setattr(_worker_end, "_started", set())
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: SimpleNamespace(pid=os.getppid()))
    _worker_end.end_with_parent()
    assert ended.wait(60)
    assert isinstance(ran[0], LockFreeThread)
