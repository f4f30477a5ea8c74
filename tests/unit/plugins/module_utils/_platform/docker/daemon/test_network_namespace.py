# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls in the network namespace of a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon import network_namespace
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.network_namespace import (
    call_in_network_of,
)


def test_process_that_ended_has_no_namespace(tmp_path: Path) -> None:
    assert call_in_network_of(1, lambda: "called", tmp_path) is None


def test_user_without_permission_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_namespace, "_enter", lambda _pid, _proc: False)
    assert call_in_network_of(os.getpid(), lambda: "called") is None


def test_exception_of_the_call_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_namespace, "_enter", lambda _pid, _proc: True)
    with pytest.raises(ZeroDivisionError):
        call_in_network_of(os.getpid(), lambda: 1 // 0)
