# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of envoy_stats without Ansible: look, judge, and look again until all holds, cannot hold, or the time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    Assertion,
    check_some,
    with_others,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.missing_stat_hints import (
    explain_absence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.required_queries import (
    required_queries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import growth_cannot_help
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    DEFAULT_LIMITS,
    EndpointPool,
    Limits,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.page_reader import read_counter_names
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot

# However short the timeout, one look is finished.
FIRST_LOOK = 1.0
# Of readings that may be of counters and are past what they have to be.
_MOST_ASKED_AFTER = 1_000


@dataclass(repr=False)  # asyncio shows a task's result to itself, and a fleet's is long
class Outcome:
    """What came out of all assertions; the same shape whether they hold or not."""

    verdicts: list[Verdict]
    snapshot: Snapshot
    elapsed: float
    attempts: int
    tries: dict[str, int] = field(default_factory=dict)
    # Pods that were not asked, and restarts that cannot be excluded.
    remarks: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def failed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.ok]

    @property
    def failure(self) -> str:
        """The kind of the first failure; empty where all holds."""
        return next(
            (verdict.failure.kind for verdict in self.failed if verdict.failure),
            "comparison" if self.failed else "",
        )

    @property
    def message(self) -> str:
        """One sentence for each assertion that does not hold."""
        if self.ok:
            return f"All {len(self.verdicts)} assertions hold after {self.elapsed:.1f} s."
        lines = [verdict.message(self.elapsed) for verdict in self.failed]
        if len(self.verdicts) == 1:
            return lines[0]
        count = (
            f"{len(lines)} of {len(self.verdicts)} assertions {'does' if len(lines) == 1 else 'do'} not hold:"
        )
        more = [f"and {len(lines) - 20} more"] if len(lines) > 20 else []
        return "\n".join([count, *lines[:20], *more])

    def as_data(self, written: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the module returns; `written` is what stands for a snapshot that went to a file."""
        return {
            "assertions": [verdict.as_data(self.elapsed) for verdict in self.verdicts],
            "endpoints": endpoints_data(self.snapshot, self.tries),
            "snapshot": self.snapshot.as_data() if written is None else dict(written),
            "failure": self.failure,
            "elapsed": round(self.elapsed, 3),
            "attempts": self.attempts,
        }


def endpoints_data(snapshot: Snapshot, tries: Mapping[str, int]) -> list[dict[str, Any]]:
    """One entry for each endpoint that was asked."""
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
            "attempts": tries.get(page.name, 1),
            "failure": page.failure.kind if page.failure else "",
            "message": page.failure.message if page.failure else "",
        }
        for page in snapshot.pages.values()
    ]


def watch(
    endpoints: Sequence[Endpoint],
    assertions: Sequence[Assertion],
    since: Snapshot | None = None,
    wait: bool = True,
    timeout: float = 30.0,
    sleep: float = 0.5,
    limits: Limits = DEFAULT_LIMITS,
    identity: bool = True,
    usedonly: bool | None = None,
) -> Outcome:
    """Evaluates at least once, and with `wait` until everything holds or `timeout` seconds are over.

    An assertion that can no longer come true ends the waiting at once. Raises SpecError for what cannot be meant.
    """
    check_some(assertions)
    timeout, sleep = seconds(timeout, "timeout", zero=True), seconds(sleep, "sleep", zero=True)
    if since is None:
        for position, assertion in enumerate(assertions):
            for one in with_others([assertion]):
                if one.since:
                    raise SpecError(
                        f"assertions[{position}] is about a {one.of}; give since, the snapshot to count from"
                    )
    wanted = required_queries(assertions, endpoints, identity, usedonly)
    return asyncio.run(
        _watch(endpoints, assertions, wanted, since, timeout if wait else 0.0, wait, sleep, limits)
    )


async def _watch(
    endpoints: Sequence[Endpoint],
    assertions: Sequence[Assertion],
    wanted: Mapping[str, Query],
    since: Snapshot | None,
    timeout: float,
    wait: bool,
    sleep: float,
    limits: Limits,
) -> Outcome:
    fleet = EndpointPool(endpoints, limits, compare_loaded=seen_young(since))
    began = time.monotonic()
    kinds: dict[tuple[str, str], str] = {}
    attempts = 0
    seen: list[tuple[Snapshot, list[Verdict]]] = []
    try:
        await fleet.find_pods(began + (max(timeout, FIRST_LOOK) if wait else limits.request_timeout))
        # Without wait the one look takes as long as a question may take.
        deadline = (
            began + max(timeout, FIRST_LOOK)
            if wait
            else time.monotonic() + limits.request_timeout * _rounds(len(fleet.clients), limits)
        )
        while True:
            started = time.monotonic()
            if attempts:
                await fleet.find_pods(deadline)
            attempts += 1
            snapshot = await fleet.snapshot(wanted, deadline)
            verdicts = await _judge(fleet, assertions, snapshot, since, kinds, deadline)
            if seen and _cut_off(snapshot, deadline):
                snapshot, verdicts = seen[
                    -1
                ]  # a look that the deadline cut off says less than the one before
                break
            seen = [(snapshot, verdicts)]
            now = time.monotonic()
            left = began + timeout - now
            # The last look is to end at the deadline, and not to begin there.
            needed = 1.5 * (now - started) + 0.005
            if (
                not wait
                or left <= needed
                or all(one.ok for one in verdicts)
                or any(one.final for one in verdicts)
            ):
                break
            await asyncio.sleep(min(sleep, left - needed))
        await explain_absence(fleet, verdicts, snapshot, deadline)
        tries = {name: client.reads for name, client in fleet.clients.items()}
        remarks = [*fleet.remarks, *doubts(verdicts)]
        return Outcome(verdicts, snapshot, time.monotonic() - began, attempts, tries, remarks)
    finally:
        fleet.close()


def seen_young(since: Snapshot | None) -> frozenset[str]:
    """Those whose start time alone does not tell whether they were restarted since."""
    pages = since.pages.values() if since else ()
    return frozenset(page.name for page in pages if page.identity is not None and page.identity.loaded)


def doubts(verdicts: Sequence[Verdict]) -> list[str]:
    """What makes verdicts less certain and is worth a warning, each once."""
    return list(dict.fromkeys(verdict.remark for verdict in verdicts if verdict.loud))


def _cut_off(snapshot: Snapshot, deadline: float) -> bool:
    failures = [page.failure for page in snapshot.pages.values() if page.failure is not None]
    return time.monotonic() >= deadline - 0.001 and any(failure.kind == "timeout" for failure in failures)


def _rounds(count: int, limits: Limits) -> int:
    """How often the bounded number of questions has to be asked until all were."""
    return max(1, -(-count // limits.concurrency))


async def _judge(
    fleet: EndpointPool,
    assertions: Sequence[Assertion],
    snapshot: Snapshot,
    since: Snapshot | None,
    kinds: dict[tuple[str, str], str],
    deadline: float,
) -> list[Verdict]:
    """Evaluates; and where it matters whether a stat is a counter, which Envoy's JSON does not say, asks for that and evaluates again."""
    while True:
        _tell(snapshot, kinds)
        verdicts = [evaluate(assertion, fleet.endpoints, snapshot, since) for assertion in assertions]
        # What is known of a value's own stats may show that those compared with it are not known.
        unknown = {pair for verdict in verdicts if not verdict.ok for pair in _doubts(verdict)} - kinds.keys()
        if not unknown:
            return verdicts
        kinds.update(await _kinds(fleet, unknown, deadline))


async def _kinds(
    fleet: EndpointPool, pairs: set[tuple[str, str]], deadline: float
) -> dict[tuple[str, str], str]:
    """What stats of endpoints are; nothing in words where an endpoint cannot tell, so that it is not asked at each look."""
    by_endpoint: dict[str, set[str]] = {}
    for endpoint, stat in pairs:
        if fleet.clients[endpoint].endpoint.format == "envoy":
            by_endpoint.setdefault(endpoint, set()).add(stat)
    found = dict.fromkeys(pairs, "")

    async def one(client: AdminClient) -> None:
        name = client.endpoint.name
        left = min(fleet.limits.request_timeout, deadline - time.monotonic())
        counters = await read_counter_names(client, by_endpoint[name], left) if left > 0 else None
        if counters is not None:
            found.update(
                ((name, stat), "counter" if stat in counters else "gauge") for stat in by_endpoint[name]
            )

    await fleet.for_each(one, by_endpoint)
    return found


def _tell(snapshot: Snapshot, kinds: Mapping[tuple[str, str], str]) -> None:
    for (endpoint, stat), kind in kinds.items():
        page = snapshot.pages.get(endpoint)
        if kind and page is not None and "stats" in page.sources and stat in page.sources["stats"].values:
            page.sources["stats"].kinds[stat] = kind


def _doubts(verdict: Verdict) -> list[tuple[str, str]]:
    """The stats whose readings would be judged otherwise if they were known to be counters, or not."""
    if verdict.read is not None:
        return _doubts(verdict.read)
    assertion = verdict.assertion
    if assertion.source != "stats" or assertion.about_histogram or assertion.by_labels:
        return []
    found = [(one.endpoint, stat) for one in verdict.readings for stat in one.doubtful]
    if assertion.of != "rate" and not assertion.ratio and assertion.across in ("each", "sum", "max"):
        seen = [one.value for one in verdict.readings] if assertion.across == "each" else [verdict.observed]
        if any(
            value is not None
            and growth_cannot_help(assertion.op, value, assertion.value, assertion.tolerance)
            for value in seen
        ):
            unknown = [one for one in verdict.readings if one.counter is None and one.value is not None]
            # These only tell that waiting is of no use.
            found += [(one.endpoint, one.stat) for one in unknown[:_MOST_ASKED_AFTER]]
    return [(endpoint, stat) for endpoint, stat in found if stat]
