# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readiness loop with prepared statuses: success, failures, the deadline, and a platform that does not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    READY,
    Status,
    StatusUnknown,
    failed,
    settled_statuses,
    wait_until_ready,
    waiting,
)

Statuses = Mapping[str, Status]


class PreparedStatuses:
    """A readiness source that returns prepared statuses in turn, the last one again and again; an exception is raised."""

    def __init__(self, *answers: Statuses | Exception) -> None:
        self.answers = list(answers)
        self.pending: list[Sequence[str]] = []

    def statuses(self, pending: Sequence[str], seconds_left: float) -> Statuses:
        assert seconds_left >= 0
        self.pending.append(pending)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def report(self, workload: str, status: Status, problem: str) -> str:
        return f"{workload} ({status.state}) {problem}"


def wait(source: PreparedStatuses, *workloads: str, timeout: float = 60) -> None:
    wait_until_ready(source, workloads, timeout, sleep=lambda _seconds: None)


def test_loop_ends_when_all_are_ready() -> None:
    source = PreparedStatuses({"a": waiting("x"), "b": READY}, {"a": waiting("x")}, {"a": READY})
    wait(source, "a", "b")
    assert source.pending == [("a", "b"), ("a",), ("a",)]


def test_no_workloads_are_ready() -> None:
    wait(PreparedStatuses({}))


def test_failure_ends_the_loop_with_all_failed() -> None:
    source = PreparedStatuses(
        {name: waiting("x") for name in "abc"},
        {"a": failed("ended with exit code 1"), "b": READY, "c": failed("was paused")},
    )
    with pytest.raises(PlatformFailed) as error:
        wait(source, "a", "b", "c")
    assert str(error.value) == "a (failed) ended with exit code 1\nc (failed) was paused"


def test_deadline_reports_all_that_wait() -> None:
    source = PreparedStatuses({"a": waiting("nothing listens on port 80"), "b": READY})
    with pytest.raises(PlatformFailed) as error:
        wait(source, "a", "b", timeout=0)
    assert (
        str(error.value) == "a (waiting) is not ready after 0 s without progress: nothing listens on port 80"
    )


class TimedStatuses(PreparedStatuses):
    """Prepared statuses with a clock that each attempt advances by 10 s."""

    now = 0.0

    def statuses(self, pending: Sequence[str], seconds_left: float) -> Statuses:
        self.now += 10
        return super().statuses(pending, seconds_left)

    def wait(self, *workloads: str, timeout: float) -> str:
        with pytest.raises(PlatformFailed) as error:
            wait_until_ready(self, workloads, timeout, clock=lambda: self.now, sleep=lambda _seconds: None)
        return str(error.value)


def test_workloads_that_become_ready_move_the_deadline() -> None:
    names = "abcdefgh"
    answers = [{name: waiting("late") for name in names[count:]} for count in range(1, len(names) + 1)]
    source = TimedStatuses(*answers)
    wait_until_ready(source, names, 15, clock=lambda: source.now, sleep=lambda _seconds: None)
    assert source.now == 80


def test_stuck_workload_fails_after_the_last_progress() -> None:
    late = waiting("late")
    source = TimedStatuses({"a": late, "b": late, "c": late}, {"a": late, "b": late}, {"a": late})
    message = source.wait("a", "b", "c", timeout=30)
    assert message == "a (waiting) is not ready after 30 s without progress: late"
    assert source.now == 60


def test_steps_of_a_workload_move_the_deadline() -> None:
    steps = [{"a": Status("waiting", "starts", progress)} for progress in (0, 1, 2, 3)]
    source = TimedStatuses(*steps)
    source.wait("a", timeout=15)
    assert source.now == 60


def test_crashing_workload_does_not_move_the_deadline() -> None:
    up, down = {"a": Status("waiting", "runs", 2)}, {"a": Status("waiting", "ended", 1)}
    source = TimedStatuses(*[up, down] * 20)
    assert "is not ready after 30 s without progress: " in source.wait("a", timeout=30)


def test_unknown_status_is_read_again() -> None:
    source = PreparedStatuses(StatusUnknown("connection refused"), {"a": READY})
    wait(source, "a")
    assert source.pending == [("a",), ("a",)]


def test_unknown_status_at_the_deadline_fails() -> None:
    source = PreparedStatuses(StatusUnknown("connection refused"))
    with pytest.raises(PlatformFailed) as error:
        wait(source, "a", "b", timeout=0)
    assert str(error.value) == "a, b: the status is unknown after 0 s without progress: connection refused"


def test_error_of_the_platform_ends_the_loop() -> None:
    with pytest.raises(PlatformFailed, match="forbidden"):
        wait(PreparedStatuses(PlatformFailed("forbidden")), "a")


def settle(source: PreparedStatuses, *workloads: str, timeout: float = 60) -> dict[str, Status]:
    return settled_statuses(source, workloads, timeout, sleep=lambda _seconds: None)


def test_failed_workload_is_not_waited_for() -> None:
    broken, late = failed("ended"), waiting("late")
    source = PreparedStatuses({"a": broken}, StatusUnknown("busy"), {"b": late}, {"b": READY})
    assert settle(source, "a", "b") == {"a": broken}
    assert source.pending == [("a", "b"), ("b",), ("b",), ("b",)]


def test_waiting_workload_is_returned_at_the_deadline() -> None:
    late = waiting("late")
    assert settle(PreparedStatuses({"a": late, "b": READY}), "a", "b", timeout=0) == {"a": late}


def test_ready_workloads_take_one_attempt() -> None:
    source = PreparedStatuses({"a": READY, "b": READY})
    assert settle(source, "a", "b") == {}
    assert len(source.pending) == 1


def test_progress_names_the_workload_and_its_reason() -> None:
    texts: list[str] = []
    source = PreparedStatuses(
        StatusUnknown("no answer"), {"a": waiting("x"), "b": waiting("y")}, {"b": waiting("y")}, {"b": READY}
    )
    wait_until_ready(
        source, ["a", "b"], 60, progress=texts.append, names={"a": "web"}, sleep=lambda _seconds: None
    )
    assert texts == [
        "waiting for web (0 of 2 ready): no answer",
        "waiting for web (0 of 2 ready): x",
        "waiting for b (1 of 2 ready): y",
    ]


def test_progress_of_settled_statuses() -> None:
    texts: list[str] = []
    source = PreparedStatuses({"a": waiting("x")}, {"a": failed("ended")})
    settled_statuses(source, ["a"], 60, progress=texts.append, sleep=lambda _seconds: None)
    assert texts == ["waiting for a: x"]
