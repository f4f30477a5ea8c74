# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stop and the removal of programs, with a supervisord of this test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.programs.program_control import (
    ProgramControl,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    Program,
    Supervisor,
)


class NoProcesses:
    def pids_by_program(self, names: Iterable[str]) -> dict[str, list[int]]:
        return {name: [] for name in names}


class RestartingSupervisor:
    """A supervisord that starts an ended program again, `restarts` times between its stop and its removal."""

    def __init__(self, restarts: int) -> None:
        self.restarts = restarts
        self.state: str | None = "EXITED"
        self.calls: list[str] = []

    def programs(self) -> dict[str, Program]:
        return {"web": Program("web", self.state, 0, 1, "", 0)} if self.state else {}

    def stop(self, name: str) -> None:
        self.calls.append("stop")
        self.state = "STOPPED"

    def remove(self, name: str) -> bool:
        self.calls.append("remove")
        if self.restarts:
            self.restarts -= 1
            return False
        self.state = None
        return True


def control(timeout: float) -> ProgramControl:
    return ProgramControl(cast(SupervisordProcess, NoProcesses()), timeout)


def test_program_that_restarts_is_stopped_again() -> None:
    supervisor = RestartingSupervisor(restarts=2)
    control(10).remove(cast(Supervisor, supervisor), ["web"])
    assert supervisor.calls == ["stop", "remove"] * 3
    assert supervisor.programs() == {}


def test_program_that_always_restarts_is_reported() -> None:
    with pytest.raises(PlatformFailed, match="web: starts again after each stop"):
        control(0.2).remove(cast(Supervisor, RestartingSupervisor(restarts=1000)), ["web"])
