# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of programs, with a prepared supervisord."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes, probe_request
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import (
    SUPERVISORD_LOG,
    LocalReadiness,
    ended_status,
    exit_reasons,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    Program,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe, Workload


class FakeSupervisor:
    """A supervisord with one program `a`."""

    def __init__(self, state: str = "RUNNING", pid: int = 7, started: int = 5) -> None:
        self.program = Program("a", state, pid, 0, "", started)

    def programs(self) -> dict[str, Program]:
        return {"a": self.program}


@pytest.fixture
def readiness(tmp_path: Path) -> LocalReadiness:
    """Return the readiness of a workload `a` without a probe, whose log has a line of an earlier run."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("earlier\n")
    (tmp_path / SUPERVISORD_LOG).write_text("exited: a (exit status 9; not expected)\n")
    return LocalReadiness(tmp_path, {"a": Workload(name="a", command=("x",), probe=Probe("none"))})


def failure_of(readiness: LocalReadiness, supervisor: Any) -> str:
    with pytest.raises(PlatformFailed) as error:
        readiness.wait(supervisor, 0)
    return str(error.value)


def test_running_program_without_probe_is_ready(readiness: LocalReadiness) -> None:
    supervisor: Any = FakeSupervisor()
    readiness.wait(supervisor, 0)


def test_starting_program_is_not_ready(readiness: LocalReadiness) -> None:
    assert failure_of(readiness, FakeSupervisor("STARTING")).startswith(
        "a is not ready after 0 s without progress: it is starting. Its log is empty ("
    )


def test_program_before_its_first_start_is_waited_for(readiness: LocalReadiness) -> None:
    supervisor: Any = FakeSupervisor("STOPPED", pid=0, started=0)
    answers = iter([supervisor.programs(), FakeSupervisor("STARTING").programs()])
    supervisor.programs = lambda: next(answers, FakeSupervisor().programs())
    readiness.wait(supervisor, 60)


def test_error_shows_only_new_lines_of_the_log(readiness: LocalReadiness, tmp_path: Path) -> None:
    with (tmp_path / "logs" / "a.log").open("a") as log:
        log.write("no such key\n")
    with (tmp_path / SUPERVISORD_LOG).open("a") as log:
        log.write("exited: a (exit status 3; not expected)\n")
    assert failure_of(readiness, FakeSupervisor("EXITED")) == (
        f"a ended with exit code 3. Last lines of its log ({tmp_path}/logs/a.log):\n  no such key"
    )


def test_truncated_log_is_read_from_its_start(readiness: LocalReadiness, tmp_path: Path) -> None:
    (tmp_path / "logs" / "a.log").write_text("new\n")
    assert failure_of(readiness, FakeSupervisor("STOPPED")).endswith(":\n  new")


def test_supervisord_without_answer_fails(readiness: LocalReadiness) -> None:
    class Silent:
        def programs(self) -> dict[str, Program]:
            raise SupervisorError("supervisord does not answer: refused")

    assert failure_of(readiness, Silent()) == "supervisord does not answer: refused. Run again."


class CountingSupervisor(FakeSupervisor):
    """A supervisord that counts the requests."""

    requests = 0

    def programs(self) -> dict[str, Program]:
        self.requests += 1
        return super().programs()


@pytest.fixture
def probed(tmp_path: Path) -> LocalReadiness:
    """Return the readiness of a workload `a` with a probe."""
    return LocalReadiness(tmp_path, {"a": Workload(name="a", command=("x",), probe=Probe("tcp", 1))})


def test_supervisord_is_called_before_and_after_the_probes(
    probed: LocalReadiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = iter(["refused"] * 6)
    monkeypatch.setattr(probe_request, "problem", lambda *_arguments: next(problems, ""))
    supervisor: Any = CountingSupervisor("STARTING", pid=os.getpid())
    probed.wait(supervisor, 60)
    assert supervisor.requests == 2


def test_ended_process_is_noticed_between_probes(
    probed: LocalReadiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor: Any = CountingSupervisor("STARTING", pid=os.getpid())
    alive = iter([True, True, False])
    monkeypatch.setattr(host_processes, "is_alive", lambda _pid: next(alive))

    def refused(*_arguments: object) -> str:
        supervisor.program = Program("a", "BACKOFF", 0, 0, "", 5)
        return "refused"

    monkeypatch.setattr(probe_request, "problem", refused)
    with pytest.raises(PlatformFailed, match=r"^a ended\. "):
        probed.wait(supervisor, 60)
    assert supervisor.requests == 2


def test_process_that_ends_after_its_probe_is_not_ready(
    probed: LocalReadiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor: Any = CountingSupervisor("STARTING", pid=os.getpid())
    problems = iter(["refused"])

    def answered(*_arguments: object) -> str:
        if problem := next(problems, ""):
            return problem
        supervisor.program = Program("a", "BACKOFF", 0, 0, "", 5)
        return ""

    monkeypatch.setattr(probe_request, "problem", answered)
    with pytest.raises(PlatformFailed, match=r"^a ended\. "):
        probed.wait(supervisor, 60)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, "is missing in supervisord. Run again"),
        (Program("a", "STOPPED", 0, 0, "", 5), "was stopped by another supervisorctl. Run again"),
        (
            Program("a", "FATAL", 0, 0, "can't find command 'x'", 0),
            "cannot be started: can't find command 'x'",
        ),
        (Program("a", "FATAL", 0, 0, "Exited too quickly (process log may have details)", 0), "ended"),
        (Program("a", "RUNNING", 8, 0, "", 0), "ended"),
    ],
)
def test_program_that_ended_has_a_reason(program: Program | None, reason: str) -> None:
    status = ended_status(program, 7, "ended")
    assert status is not None
    assert (status.state, status.reason) == ("failed", reason)


def test_program_with_the_same_pid_runs() -> None:
    assert ended_status(Program("a", "RUNNING", 7, 0, "", 0), 7, "ended") is None


def test_last_exit_in_the_log_counts() -> None:
    log = [
        "2026-01-01 00:00:00,000 INFO exited: a (exit status 3; not expected)",
        "2026-01-01 00:00:01,000 INFO exited: b (terminated by SIGKILL; not expected)",
        "2026-01-01 00:00:02,000 INFO exited: a (exit status 0; expected)",
    ]
    assert exit_reasons(log) == {"a": "ended with exit code 0", "b": "was ended by SIGKILL"}
