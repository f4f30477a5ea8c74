# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one loop that waits until workloads are ready, for all platforms.

A platform supplies `ReadinessSource`: the status of its workloads at one moment, and the text about a workload that fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
    waiting_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import Deadline, attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed

FIRST_PAUSE = 0.02  # seconds
LONGEST_PAUSE = 0.25  # seconds


@dataclass(frozen=True)
class Status:
    """The status of one workload: ready, waiting (the reason names the condition) or failed (the reason names the cause).

    `progress` counts the steps that a waiting workload has done, on platforms where it has several.
    """

    state: Literal["ready", "waiting", "failed"]
    reason: str = ""
    progress: int = 0


READY = Status("ready")


def waiting(reason: str) -> Status:
    """Return the status of a workload that is not ready yet, as in `waiting("nothing listens on port 80")`."""
    return Status("waiting", reason)


def failed(reason: str) -> Status:
    """Return the status of a workload that cannot become ready any more, as in `failed("ended with exit code 1")`."""
    return Status("failed", reason)


class StatusUnknown(Exception):
    """The platform did not answer, but may do so at the next attempt; the text is the reason."""


class ReadinessSource(Protocol):
    """What a platform supplies to `wait_until_ready`."""

    def statuses(self, pending: Sequence[str], seconds_left: float) -> Mapping[str, Status]:
        """Return the status of each workload of `pending`, and of further ones where that costs nothing.

        Raises StatusUnknown to be called again, PlatformFailed to end the wait.
        """

    def report(self, workload: str, status: Status, problem: str) -> str:
        """Return the error text for a workload: its name, `problem`, and evidence such as the last lines of its log."""


def wait_until_ready(
    source: ReadinessSource,
    workloads: Iterable[str],
    timeout: float,
    *,
    first_pause: float = FIRST_PAUSE,
    longest_pause: float = LONGEST_PAUSE,
    progress: Progress = no_progress,
    names: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when all `workloads` are ready.

    The deadline is `timeout` seconds after the last progress of any workload: a workload became ready, or is closer to it than
    ever. So a demo of many workloads has the time that it needs, and a workload that hangs fails when the others are done.

    The first failed workload ends the wait: one error names all workloads that failed by then. A workload that was ready once
    is not pending any more.

    Args:
        source: The platform's statuses and reports.
        workloads: The names of the workloads.
        timeout: Seconds from the last progress to the deadline. There is at least one attempt, and one at the deadline.
        first_pause: Seconds between the first two attempts; each further pause is longer by half.
        longest_pause: Upper limit of the pause, in seconds.
        progress: Receives which workload the wait is for, with its reason.
        names: The name of each workload in the demo, where it differs.
        clock: Returns the current time in seconds; a test replaces it.
        sleep: Waits for a number of seconds; a test replaces it.

    Raises:
        PlatformFailed: A workload failed, or is not ready at the deadline; one report for each, a line or more.
    """
    pending: dict[str, Status] = dict.fromkeys(workloads, waiting("not checked yet"))
    total, unknown = len(pending), ""
    deadline = Deadline(timeout, clock)
    for left in attempts(deadline, first_pause=first_pause, longest_pause=longest_pause, sleep=sleep):
        try:
            statuses = source.statuses(tuple(pending), left)
        except StatusUnknown as error:
            unknown = str(error)
            progress(waiting_text({(names or {}).get(name, name): unknown for name in pending}, total))
            continue
        unknown = ""
        if broken := {name: status for name, status in statuses.items() if status.state == "failed"}:
            raise PlatformFailed(
                "\n".join(source.report(name, status, status.reason) for name, status in broken.items())
            )
        pending = {name: status for name, status in statuses.items() if status.state == "waiting"}
        if not pending:
            return
        progress(waiting_text(_reasons(pending, names), total))
        deadline.note(readiness_progress(pending, total))
    if unknown:
        raise PlatformFailed(
            f"{', '.join(pending)}: the status is unknown after {timeout:g} s without progress: {unknown}"
        )
    raise PlatformFailed(
        "\n".join(
            source.report(name, status, f"is not ready after {timeout:g} s without progress: {status.reason}")
            for name, status in pending.items()
        )
    )


def _reasons(pending: Mapping[str, Status], names: Mapping[str, str] | None) -> dict[str, str]:
    return {(names or {}).get(name, name): status.reason for name, status in pending.items()}


def readiness_progress(pending: Mapping[str, Status], total: int) -> tuple[int, int]:
    """Return how far workloads are: how many are ready, then how many steps those that wait have done.

    Example:
        >>> readiness_progress({"web": Status("waiting", "starts", progress=2)}, total=5)
        (4, 2)
    """
    return total - len(pending), sum(status.progress for status in pending.values())


def settled_statuses(
    source: ReadinessSource,
    workloads: Iterable[str],
    timeout: float,
    *,
    first_pause: float = FIRST_PAUSE,
    longest_pause: float = LONGEST_PAUSE,
    progress: Progress = no_progress,
    names: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Status]:
    """Return the status of each workload that is not ready when no other workload is waiting.

    A failed workload does not end the wait for the other workloads. The arguments are those of `wait_until_ready`.

    Raises:
        PlatformFailed: The platform supplies no statuses.
    """
    pending: dict[str, Status] = dict.fromkeys(workloads, waiting("not checked yet"))
    broken: dict[str, Status] = {}
    total, deadline = len(pending), Deadline(timeout)
    for left in attempts(deadline, first_pause=first_pause, longest_pause=longest_pause, sleep=sleep):
        try:
            statuses = source.statuses(tuple(pending), left)
        except StatusUnknown:
            continue
        broken |= {name: status for name, status in statuses.items() if status.state == "failed"}
        current = {name: statuses.get(name, status) for name, status in pending.items()}
        pending = {name: status for name, status in current.items() if status.state == "waiting"}
        if not pending:
            break
        progress(waiting_text(_reasons(pending, names), total))
        deadline.note(readiness_progress(pending, total))
    return {**pending, **broken}
