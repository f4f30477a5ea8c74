# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of all assertions of a task, as data and as a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict, VerdictData
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot

_MOST_LINES = 20


class EndpointData(TypedDict):
    """What came of reading one endpoint, as modules return it."""

    name: str
    group: str
    format: str
    ok: bool
    state: str
    version: str
    uptime: float | None
    epoch: int | None
    bytes: int
    milliseconds: float
    attempts: int
    failure: str
    message: str


class OutcomeData(TypedDict):
    """What came of all assertions, as the module envoy_stats returns it."""

    assertions: list[VerdictData]
    endpoints: list[EndpointData]
    snapshot: dict[str, Any]
    failure: str
    elapsed: float
    attempts: int


@dataclass(repr=False)  # asyncio formats the result of a task, and that of a fleet is long
class Outcome:
    """What came of all assertions; it has the same parts whether they hold or not."""

    verdicts: list[Verdict]
    snapshot: Snapshot
    elapsed: float  # seconds
    attempts: int
    reads: dict[str, int] = field(default_factory=dict)  # how often each endpoint was read
    remarks: list[str] = field(default_factory=list)  # sentences for warnings

    @property
    def ok(self) -> bool:
        """Whether all assertions hold."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def failed(self) -> list[Verdict]:
        """The verdicts of the assertions that do not hold."""
        return [verdict for verdict in self.verdicts if not verdict.ok]

    @property
    def failure(self) -> str:
        """The kind of the first failure; empty where all assertions hold."""
        return next(
            (verdict.failure.kind for verdict in self.failed if verdict.failure),
            "comparison" if self.failed else "",
        )

    @property
    def message(self) -> str:
        """One line for each assertion that does not hold."""
        total = len(self.verdicts)
        if self.ok:
            return f"{total} of {total} assertions hold after {self.elapsed:.1f} s."
        lines = [verdict.message(self.elapsed) for verdict in self.failed]
        if total == 1:
            return lines[0]
        more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
        return "\n".join([f"{len(lines)} of {total} assertions failed:", *lines[:_MOST_LINES], *more])

    def as_data(self, snapshot: Mapping[str, Any] | None = None) -> OutcomeData:
        """Return the module's result.

        Args:
            snapshot: What to return in place of the snapshot, such as the path of the file that it was written to.
        """
        return {
            "assertions": [verdict.as_data(self.elapsed) for verdict in self.verdicts],
            "endpoints": endpoints_data(self.snapshot, self.reads),
            "snapshot": self.snapshot.as_data() if snapshot is None else dict(snapshot),
            "failure": self.failure,
            "elapsed": round(self.elapsed, 3),
            "attempts": self.attempts,
        }


def endpoints_data(snapshot: Snapshot, reads: Mapping[str, int]) -> list[EndpointData]:
    """Return one entry for each endpoint that was read. `reads` has the number of reads by name."""
    return [
        {
            "name": page.name,
            "group": page.group,
            "format": page.format,
            "ok": page.failure is None,
            "state": page.identity.state if page.identity else "",
            "version": page.identity.version if page.identity else "",
            "uptime": page.identity.uptime if page.identity else None,
            "epoch": page.identity.epoch if page.identity else None,
            "bytes": page.bytes,
            "milliseconds": page.milliseconds,
            "attempts": reads.get(page.name, 1),
            "failure": page.failure.kind if page.failure else "",
            "message": page.failure.message if page.failure else "",
        }
        for page in snapshot.pages.values()
    ]


def warnings_of(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what makes verdicts uncertain and the user can change, each sentence once."""
    return list(dict.fromkeys(verdict.remark for verdict in verdicts if verdict.is_warning))
