# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate assertions across managed hosts: each host takes a snapshot of its endpoints, and all snapshots are evaluated together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    Assertion,
    with_value_stats,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    check_not_empty,
    check_since,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.missing_stat_hints import add_hint
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import Outcome, warnings_of
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    endpoints_of,
    source_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import expected
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import PRESENCE
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Samples, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_file import load_snapshot

_SNAPSHOT_KEYS = {"snapshot", "endpoints", "file"}  # of a snapshot, a task's result, or a path
_LONGEST_MESSAGE = 300  # characters of another task's message


def read_hosts(snapshots: Any, where: str = "snapshots") -> Snapshot:
    """Return one snapshot of all hosts; its endpoints are named `host/endpoint`.

    Args:
        snapshots: For each host its snapshot, the result of the task that took it, or the path of its file. A host whose task
            failed, was skipped or did not reach it is an endpoint with the host's name and a failure.
        where: The name of the option, for the error.

    Raises:
        ArgumentError: The value is no dictionary of hosts, or an entry is no snapshot.
    """
    if not isinstance(snapshots, Mapping) or not snapshots:
        raise expected(
            where, "a dictionary with the result of the task that took the snapshot, by host", snapshots
        )
    # What is later than the latest snapshot is later than all of them.
    together = Snapshot(0.0)
    for host, data in snapshots.items():
        failure = _missing_snapshot(data)
        if failure is not None:
            together.pages[str(host)] = Page(str(host), "envoy", 0.0, failure=failure)
            continue
        snapshot = load_snapshot(data, None, f"{where}[{host!r}]")
        together.time = max(together.time, snapshot.time)
        for page in snapshot.pages.values():
            page.name = f"{host}/{page.name}"
            together.pages[page.name] = page
    return together


def read_hosts_since(since: Any) -> Snapshot:
    """Return the earlier snapshot of all hosts, by host or as an earlier task returned it. Raises ArgumentError."""
    if isinstance(since, Mapping) and not since.keys() & _SNAPSHOT_KEYS:
        return read_hosts(since, "since")
    return load_snapshot(since, None)


def evaluate_hosts(assertions: Sequence[Assertion], now: Snapshot, since: Snapshot | None = None) -> Outcome:
    """Evaluate each assertion once, with the snapshot of all hosts.

    Args:
        assertions: The assertions.
        now: The snapshot, from read_hosts.
        since: The earlier snapshot that a delta or a rate starts from.

    Raises:
        ArgumentError: A snapshot does not include what an assertion is about, or `since` is missing.
    """
    began = time.monotonic()
    check_not_empty(assertions)
    if since is None:
        check_since(assertions)
    with_removed = _with_removed_endpoints(now, since)
    verdicts = []
    for assertion in assertions:
        stats = list(with_value_stats([assertion]))
        snapshot = with_removed if any(each.is_difference for each in stats) else now
        endpoints = [_endpoint(page) for page in snapshot.pages.values()]
        for each in stats:
            _check_selection(each, endpoints, snapshot)
        verdicts.append(evaluate(assertion, endpoints, snapshot, since))
    for verdict in verdicts:
        if (
            not verdict.ok
            and verdict.failure is not None
            and verdict.failure.kind == "absent"
            and verdict.failed
        ):
            page = with_removed.pages[verdict.failed[0].endpoint]
            source = source_of(verdict.assertion, page.format)
            if source in page.sources and page.sources[source].selection.everything:
                add_hint(verdict, page, source)
    return Outcome(verdicts, now, time.monotonic() - began, 1, remarks=warnings_of(verdicts))


def _endpoint(page: Page) -> Endpoint:
    return Endpoint(page.name, scheme="", format=page.format, whole_host=_is_host(page))


def _is_host(page: Page) -> bool:
    """Return whether a page stands for a host without a snapshot; the names of endpoints contain their host's."""
    return page.failure is not None and "/" not in page.name


def _missing_snapshot(data: Any) -> Failure | None:
    """Return why a host has no snapshot, None where it has one."""
    if not data:
        return Failure("unreachable", "it has no snapshot")
    if not isinstance(data, Mapping) or data.keys() & _SNAPSHOT_KEYS:
        return None
    message = str(data.get("msg", "")).strip()[:_LONGEST_MESSAGE]
    if data.get("unreachable"):
        return Failure("unreachable", f"Ansible could not reach the host: {message}")
    if data.get("failed"):
        return Failure("unreachable", f"it has no snapshot, because its task failed: {message}")
    if data.get("skipped"):
        return Failure("unreachable", "it has no snapshot, because its task was skipped")
    return None


def _with_removed_endpoints(now: Snapshot, since: Snapshot | None) -> Snapshot:
    """Return the snapshot with a failed page for each endpoint that only the earlier one has, because its delta is lost."""
    text = "only the earlier snapshots have it, and what it counted since then is lost"
    # The endpoints of a host without a snapshot are not removed.
    without_snapshot = {page.name for page in now.pages.values() if _is_host(page)}
    removed = {
        page.name: Page(page.name, page.format, now.time, failure=Failure("restarted", text))
        for page in (since.pages.values() if since else ())
        if page.name not in now.pages
        and page.failure is None
        and page.name.partition("/")[0] not in without_snapshot
    }
    return Snapshot(now.time, {**now.pages, **removed})


def _check_selection(assertion: Assertion, endpoints: Sequence[Endpoint], snapshot: Snapshot) -> None:
    """Raise ArgumentError where a snapshot did not select the stats of an assertion, so that they are not absent but unknown."""
    for endpoint in endpoints_of(assertion, endpoints):
        page = snapshot.pages[endpoint.name]
        samples = page.sources.get(source_of(assertion, endpoint.format))
        if page.failure is not None or (samples is not None and _includes(samples, assertion)):
            continue
        raise ArgumentError(
            f"snapshots: {endpoint.name}",
            f"the snapshot does not include {assertion.stat_text}{_missing_option(samples, assertion)}."
            " Select it, or everything, when you take the snapshot.",
        )


def _missing_option(samples: Samples | None, assertion: Assertion) -> str:
    """Return the option with which the snapshot would include the assertion's stats."""
    if samples is not None and samples.selection.usedonly:
        return " without usedonly"
    if samples is not None and not samples.selection.histograms and _can_be_histogram(assertion):
        return " with histograms"
    return ""


def _can_be_histogram(assertion: Assertion) -> bool:
    return assertion.is_histogram or assertion.op in PRESENCE


def _includes(samples: Samples, assertion: Assertion) -> bool:
    selection = samples.selection
    if selection.usedonly and assertion.op in PRESENCE:
        return False
    if not selection.histograms and _can_be_histogram(assertion) and not _is_present(samples, assertion):
        return False
    # Whether one pattern includes another cannot be computed, so the snapshot needs the same pattern.
    patterns = [pattern for pattern in (assertion.match, assertion.over_match) if pattern]
    named = bool(assertion.stat or assertion.match)
    whole = selection.everything or (named and all(pattern in selection.patterns for pattern in patterns))
    return whole and all(
        name in selection.names
        or name in samples.values
        or name in samples.histograms
        or (selection.covers(name) and not selection.usedonly)
        for name in (assertion.stat, assertion.over)
        if name
    )


def _is_present(samples: Samples, assertion: Assertion) -> bool:
    """Return whether a counter, gauge or text readout shows already that the stat exists."""
    if assertion.is_histogram:
        return False
    match = assertion.match
    return any(match.matches(name) for name in samples.values) if match else assertion.stat in samples.values
