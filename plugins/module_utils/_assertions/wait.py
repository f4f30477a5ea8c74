# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until assertions hold: the work of the module envoy_stats, without Ansible."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    check_not_empty,
    check_since,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.missing_stat_hints import add_hints
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import Outcome, warnings_of
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    required_queries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    growth_cannot_help,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import counted
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

# Seconds that the first attempt gets, however short the timeout is.
FIRST_ATTEMPT = 1.0
# Of the time that the previous attempt took, what the last attempt gets before the deadline.
_RESERVE = 1.5
_SHORTEST_RESERVE = 0.005  # seconds
_CUT_OFF = 0.001  # seconds before the deadline from which a timeout is that of the deadline
# Readings of unknown kind for which one more request is sent when they are past the expected value.
_MOST_UNKNOWN = 1_000

StatName = tuple[str, str]  # the endpoint and the stat


def wait_for(
    endpoints: Sequence[Endpoint],
    assertions: Sequence[Assertion],
    since: Snapshot | None = None,
    wait: bool = True,
    timeout: float = 30.0,
    sleep: float = 0.5,
    limits: Limits = DEFAULT_LIMITS,
    identity: bool = True,
    usedonly: bool | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Read endpoints and evaluate assertions, until all of them hold.

    Args:
        endpoints: The endpoints to read, from endpoint.parse_endpoints.
        assertions: The assertions, from assertion_parser.parse_assertions.
        since: The earlier snapshot that a delta or a rate starts from.
        wait: Whether to evaluate again until all assertions hold; otherwise they are evaluated once.
        timeout: Number of seconds after which waiting ends. Every assertion is evaluated at least once.
        sleep: Number of seconds between two attempts.
        limits: Limits of the requests.
        identity: Whether to read which process answers; a difference always reads it.
        usedonly: Whether to leave out stats that Envoy has never used; None leaves them out where that changes no number.
        progress: Receives which assertions do not hold yet.

    Returns:
        The verdicts of the last complete attempt and its snapshot. Waiting ends early where an assertion cannot become true
        any more: a counter is past its expected value, or a process was restarted.

    Raises:
        ArgumentError: An assertion, an endpoint or a time cannot be used. Nothing was read then.

    Example:
        >>> endpoints = parse_endpoints([{"name": "edge", "url": "http://127.0.0.1:1"}])
        >>> outcome = wait_for(endpoints, parse_assertions([{"stat": "a", "op": "eq", "value": 1}]), timeout=0)
        >>> outcome.ok, outcome.failure
        (False, 'unreachable')
    """
    check_not_empty(assertions)
    timeout, sleep = seconds(timeout, "timeout", zero=True), seconds(sleep, "sleep", zero=True)
    if since is None:
        check_since(assertions)
    queries = required_queries(assertions, endpoints, identity, usedonly)
    return asyncio.run(
        _wait_for(
            endpoints, assertions, queries, since, timeout if wait else 0.0, wait, sleep, limits, progress
        )
    )


async def _wait_for(
    endpoints: Sequence[Endpoint],
    assertions: Sequence[Assertion],
    queries: Mapping[str, Query],
    since: Snapshot | None,
    timeout: float,
    wait: bool,
    sleep: float,
    limits: Limits,
    progress: Progress,
) -> Outcome:
    # This loop does not use polling.attempts: it is asynchronous, and its last attempt ends at the deadline.
    pool = EndpointPool(endpoints, limits, compare_loaded=started_just_before(since))
    began = time.monotonic()
    kinds: dict[StatName, str] = {}
    attempts = 0
    complete: list[tuple[Snapshot, list[Verdict]]] = []  # the last complete attempt
    try:
        await pool.find_pods(began + (max(timeout, FIRST_ATTEMPT) if wait else limits.request_timeout))
        # Without `wait`, the only attempt takes as long as its requests may take.
        deadline = (
            began + max(timeout, FIRST_ATTEMPT)
            if wait
            else time.monotonic() + limits.request_timeout * _rounds(len(pool.clients), limits)
        )
        while True:
            started = time.monotonic()
            if attempts:
                await pool.find_pods(deadline)
            attempts += 1
            snapshot = await pool.snapshot(queries, deadline)
            verdicts = await _evaluate(pool, assertions, snapshot, since, kinds, deadline)
            if complete and _is_cut_off(snapshot, deadline):
                [(snapshot, verdicts)] = complete
                break
            complete = [(snapshot, verdicts)]
            now = time.monotonic()
            left = began + timeout - now
            reserve = _RESERVE * (now - started) + _SHORTEST_RESERVE
            if (
                not wait
                or left <= reserve
                or all(verdict.ok for verdict in verdicts)
                or any(verdict.is_final for verdict in verdicts)
            ):
                break
            progress(pending_text(verdicts))
            await asyncio.sleep(min(sleep, left - reserve))
        await add_hints(pool, verdicts, snapshot, deadline)
        reads = {name: client.reads for name, client in pool.clients.items()}
        remarks = [*pool.remarks, *warnings_of(verdicts)]
        return Outcome(verdicts, snapshot, time.monotonic() - began, attempts, reads, remarks)
    finally:
        pool.close()


def pending_text(verdicts: Sequence[Verdict]) -> str:
    """Return how many assertions do not hold yet, with the first one."""
    pending = [verdict for verdict in verdicts if not verdict.ok]
    of = f"{len(pending)} of {counted(len(verdicts), 'assertion')}"
    return f"waiting for {of}: {pending[0].outcome()}"


def started_just_before(since: Snapshot | None) -> frozenset[str]:
    """Return the endpoints whose start time alone does not show whether they were restarted after `since`."""
    pages = since.pages.values() if since else ()
    return frozenset(page.name for page in pages if page.identity is not None and page.identity.loaded)


def _is_cut_off(snapshot: Snapshot, deadline: float) -> bool:
    """Return whether the deadline ended an attempt, which then has less readings than the previous one."""
    failures = [page.failure for page in snapshot.pages.values() if page.failure is not None]
    return time.monotonic() >= deadline - _CUT_OFF and any(failure.kind == "timeout" for failure in failures)


def _rounds(count: int, limits: Limits) -> int:
    """Return how many requests follow each other where `count` endpoints are read."""
    return max(1, -(-count // limits.concurrency))


async def _evaluate(
    pool: EndpointPool,
    assertions: Sequence[Assertion],
    snapshot: Snapshot,
    since: Snapshot | None,
    kinds: dict[StatName, str],
    deadline: float,
) -> list[Verdict]:
    """Evaluate all assertions.

    Envoy's JSON does not contain which stats are counters. Where a verdict depends on that, it is read, and the assertions are
    evaluated again.
    """
    while True:
        _set_kinds(snapshot, kinds)
        verdicts = [evaluate(assertion, pool.endpoints, snapshot, since) for assertion in assertions]
        # A value that is read from a stat can show that the kinds of the stats compared with it matter.
        unknown = {
            stat for verdict in verdicts if not verdict.ok for stat in _kinds_that_matter(verdict)
        } - kinds.keys()
        if not unknown:
            return verdicts
        kinds.update(await _read_kinds(pool, unknown, deadline))


async def _read_kinds(pool: EndpointPool, stats: set[StatName], deadline: float) -> dict[StatName, str]:
    """Return the kinds of stats; empty where an endpoint does not report it, so that it is not read again."""
    by_endpoint: dict[str, set[str]] = {}
    for endpoint, stat in stats:
        if pool.clients[endpoint].endpoint.format == "envoy":
            by_endpoint.setdefault(endpoint, set()).add(stat)
    found = dict.fromkeys(stats, "")

    async def read(client: AdminClient) -> None:
        name = client.endpoint.name
        left = min(pool.limits.request_timeout, deadline - time.monotonic())
        counters = await read_counter_names(client, by_endpoint[name], left) if left > 0 else None
        if counters is not None:
            found.update(
                ((name, stat), "counter" if stat in counters else "gauge") for stat in by_endpoint[name]
            )

    await pool.for_each(read, by_endpoint)
    return found


def _set_kinds(snapshot: Snapshot, kinds: Mapping[StatName, str]) -> None:
    for (endpoint, stat), kind in kinds.items():
        page = snapshot.pages.get(endpoint)
        if kind and page is not None and "stats" in page.sources and stat in page.sources["stats"].values:
            page.sources["stats"].kinds[stat] = kind


def _kinds_that_matter(verdict: Verdict) -> list[StatName]:
    """Return the stats for which the verdict depends on whether they are counters."""
    if verdict.value_verdict is not None:
        return _kinds_that_matter(verdict.value_verdict)
    assertion = verdict.assertion
    if assertion.source != "stats" or assertion.is_histogram or assertion.has_labels:
        return []
    found = [(reading.endpoint, stat) for reading in verdict.readings for stat in reading.kind_matters_of]
    if assertion.of != "rate" and not assertion.is_ratio and assertion.across in ("each", "sum", "max"):
        values = (
            [reading.value for reading in verdict.readings]
            if assertion.across == "each"
            else [verdict.observed]
        )
        if any(
            value is not None
            and growth_cannot_help(assertion.op, value, assertion.value, assertion.tolerance)
            for value in values
        ):
            unknown = [
                reading
                for reading in verdict.readings
                if reading.counter is None and reading.value is not None
            ]
            # Their kinds decide only whether waiting ends early.
            found += [(reading.endpoint, reading.stat) for reading in unknown[:_MOST_UNKNOWN]]
    return [(endpoint, stat) for endpoint, stat in found if stat]
