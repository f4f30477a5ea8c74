# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assertions across managed hosts: each host asked its own endpoints, and what all of them saw is judged here, where nothing is asked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    PRESENCE,
    Assertion,
    check_some,
    with_others,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.missing_stat_hints import (
    explain_from,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.required_queries import (
    endpoints_of,
    source_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import Outcome, doubts
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Samples, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_file import load_snapshot

_SHAPE = "has to be a dictionary of hosts' names, each with the snapshot that was registered there"


def read_hosts(given: Any, where: str = "snapshots") -> Snapshot:
    """One snapshot out of {host: snapshot, a task's result, or path}; its endpoints are named `host/endpoint`.

    A host whose task has none, since it failed, was skipped or was not reached, is an endpoint of its own name with a failure.
    Raises SpecError for what is no snapshot.
    """
    if not isinstance(given, Mapping) or not given:
        raise SpecError(f"{where} {_SHAPE}")
    # What came later than the youngest of them came later than all.
    together = Snapshot(0.0)
    for host, data in given.items():
        failure = _without_snapshot(data)
        if failure is not None:
            together.pages[str(host)] = Page(str(host), "envoy", 0.0, failure=failure)
            continue
        one = load_snapshot(data, None, f"{where}[{host!r}]")
        together.time = max(together.time, one.time)
        for page in one.pages.values():
            page.name = f"{host}/{page.name}"
            together.pages[page.name] = page
    return together


def read_since(given: Any) -> Snapshot:
    """The same of an earlier moment, or what an earlier task made of several hosts."""
    if isinstance(given, Mapping) and not given.keys() & {"snapshot", "endpoints", "file"}:
        return read_hosts(given, "since")
    return load_snapshot(given, None)


def judge(assertions: Sequence[Assertion], now: Snapshot, since: Snapshot | None = None) -> Outcome:
    """Evaluates each assertion once. Raises SpecError where a snapshot was not taken of what an assertion is about."""
    began = time.monotonic()
    check_some(assertions)
    counted = _with_those_that_are_gone(now, since)
    verdicts = []
    for position, assertion in enumerate(assertions):
        differences = [one.of for one in with_others([assertion]) if one.since]
        if differences and since is None:
            raise SpecError(
                f"assertions[{position}] is about a {differences[0]}; give since, the snapshots to count from"
            )
        shown = counted if differences else now
        endpoints = [_endpoint(page) for page in shown.pages.values()]
        for one in with_others([assertion]):
            _check_that_it_was_looked_for(one, endpoints, shown)
        verdicts.append(evaluate(assertion, endpoints, shown, since))
    for verdict in verdicts:
        if (
            not verdict.ok
            and verdict.failure is not None
            and verdict.failure.kind == "absent"
            and verdict.wrong
        ):
            page = counted.pages[verdict.wrong[0].endpoint]
            source = source_of(verdict.assertion, page.format)
            if source in page.sources and page.sources[source].selection.everything:
                explain_from(verdict, page, source)
    return Outcome(verdicts, now, time.monotonic() - began, 1, remarks=doubts(verdicts))


def _endpoint(page: Page) -> Endpoint:
    return Endpoint(page.name, scheme="", format=page.format, whole_host=_is_host(page))


def _is_host(page: Page) -> bool:
    """Whether it stands for a host without a snapshot; endpoints have their host's name in front."""
    return page.failure is not None and "/" not in page.name


def _without_snapshot(data: Any) -> Failure | None:
    """Why a host has none; None where it has one, or something that is to be read as one."""
    if not data:
        return Failure("unreachable", "it has no snapshot")
    if not isinstance(data, Mapping) or data.keys() & {"snapshot", "endpoints", "file"}:
        return None
    said = str(data.get("msg", "")).strip()[:300]
    if data.get("unreachable"):
        return Failure("unreachable", f"the host could not be reached: {said}")
    if data.get("failed"):
        return Failure("unreachable", f"it has no snapshot, as its task failed: {said}")
    return (
        Failure("unreachable", "it has no snapshot, as its task was skipped") if data.get("skipped") else None
    )


def _with_those_that_are_gone(now: Snapshot, since: Snapshot | None) -> Snapshot:
    """For differences: what an endpoint counted that is no longer there is missing in a sum."""
    words = "it is in the earlier snapshots and not in these, and what it counted is gone with it"
    # What endpoints of a host count that could not be asked is not gone.
    unseen = {page.name for page in now.pages.values() if _is_host(page)}
    gone = {
        page.name: Page(page.name, page.format, now.time, failure=Failure("restarted", words))
        for page in (since.pages.values() if since else ())
        if page.name not in now.pages and page.failure is None and page.name.partition("/")[0] not in unseen
    }
    return Snapshot(now.time, {**now.pages, **gone})


def _check_that_it_was_looked_for(assertion: Assertion, endpoints: Sequence[Endpoint], now: Snapshot) -> None:
    """What nobody looked for is not there, and is neither absent nor 0."""
    for endpoint in endpoints_of(assertion, endpoints):
        page = now.pages[endpoint.name]
        source = source_of(assertion, endpoint.format)
        samples = page.sources.get(source)
        if page.failure is not None or (samples is not None and _covers(samples, assertion)):
            continue
        raise SpecError(
            f"the snapshot of {endpoint.name} was not taken of {assertion.what}{_lacking(samples, assertion)}"
            "; take it of that, or of everything"
        )


def _lacking(samples: Samples | None, assertion: Assertion) -> str:
    """In words, what else was left out than other names."""
    if samples is not None and samples.selection.usedonly:
        return " without usedonly"
    if samples is not None and not samples.selection.histograms and _may_be_histogram(assertion):
        return " with histograms"
    return ""


def _may_be_histogram(assertion: Assertion) -> bool:
    return assertion.about_histogram or assertion.op in PRESENCE


def _covers(samples: Samples, assertion: Assertion) -> bool:
    selection = samples.selection
    if selection.usedonly and assertion.op in PRESENCE:
        return False
    if not selection.histograms and _may_be_histogram(assertion) and not _is_there(samples, assertion):
        return False
    # Whether one pattern lets through all that another does is not to be told, so it has to be the same.
    patterns = [one for one in (assertion.match, assertion.over_match) if one]
    named = bool(assertion.stat or assertion.match)
    whole = selection.everything or (named and all(one in selection.patterns for one in patterns))
    return whole and all(
        name in selection.names
        or name in samples.values
        or name in samples.histograms
        or (selection.covers(name) and not selection.usedonly)
        for name in (assertion.stat, assertion.over)
        if name
    )


def _is_there(samples: Samples, assertion: Assertion) -> bool:
    """Whether something other than a histogram tells already that it is present."""
    if assertion.about_histogram:
        return False
    match = assertion.match
    return any(match.matches(name) for name in samples.values) if match else assertion.stat in samples.values
