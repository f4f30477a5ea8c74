# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observer of processes: statuses from a supervisord, and the ends of log files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import observer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.observer import LocalObserver
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import Program
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import failed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe, Workload


@pytest.fixture
def observed(tmp_path: Path) -> LocalObserver:
    (tmp_path / "logs").mkdir()
    workloads = tuple(Workload(name=name, command=("x",), probe=Probe("none")) for name in ("a", "b"))
    return LocalObserver(DeployedDemo("demo", tmp_path, workloads))


def test_stopped_program_is_not_waited_for(observed: LocalObserver, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = {"a": Program("a", "STOPPED", 0, 0, "", 5), "b": Program("b", "RUNNING", 7, 0, "", 5)}
    monkeypatch.setattr(observer.Supervisor, "programs", lambda _self: programs)
    assert observed.wait_until_settled(60) == {"a": failed("was stopped by another supervisorctl. Run again")}


def test_without_supervisord_nothing_is_waited_for(observed: LocalObserver) -> None:
    assert observed.wait_until_settled(60) == {}


def test_end_of_a_log_is_read(
    observed: LocalObserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs" / "a.log").write_text("".join(f"line {number}\n" for number in range(9)))
    monkeypatch.setattr(observer, "MAX_LOG_LINES", 2)
    assert observed.recent_log_lines(("a", "b"), 0.0, 1.0) == {"a": ["line 7", "line 8"], "b": []}
    monkeypatch.setattr(observer, "MAX_LOG_BYTES", 10)
    assert observed.recent_log_lines(("a",), 0.0, 1.0) == {"a": [" 7", "line 8"]}
