# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate assertions with a snapshot, without any I/O and without a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.measurement import (
    measure,
    numbers_only,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.reading import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.reading_set import (
    ReadingSet,
    evaluate_total,
    fits,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    endpoints_of,
    source_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    PRESENCE,
    format_value,
    growth_cannot_help,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import (
    Endpoint,
    unmatched_patterns,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import (
    STARTED_NEAR_SNAPSHOT,
    restart_uncertainty,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot

_MOST_NAMES = 20  # of pods in a message


def evaluate(
    assertion: Assertion, endpoints: Sequence[Endpoint], now: Snapshot, since: Snapshot | None = None
) -> Verdict:
    """Evaluate one assertion with a snapshot.

    Args:
        assertion: The assertion, from assertion_parser.parse_assertions.
        endpoints: All endpoints; the assertion selects some of them.
        now: The snapshot. An endpoint without a page in it counts as unreachable.
        since: The earlier snapshot from which a delta or a rate is taken. Without it, each delta fails.

    Returns:
        Whether the assertion holds, with the readings that decided it and the message.

    Raises:
        ArgumentError: The assertion names an endpoint that does not exist, or one of the wrong format.

    Example:
        >>> [edge] = parse_endpoints([{"name": "edge", "url": "http://127.0.0.1:9901"}])
        >>> [one] = parse_assertions([{"stat": "server.live", "op": "eq", "value": 1}])
        >>> samples = Samples(Selection(everything=True), {"server.live": 1})
        >>> evaluate(one, [edge], Snapshot(5.0, {"edge": Page("edge", "envoy", 5.0, {"stats": samples})})).message(0.5)
        'expected 1, got 1 (server.live at edge)'
    """
    if assertion.value_from is not None:
        return _evaluate_with_value(assertion, assertion.value_from, endpoints, now, since)
    chosen = endpoints_of(assertion, endpoints)
    found = ReadingSet(assertion)
    found.add(_missing_pods(assertion, endpoints, chosen, since))
    for endpoint in chosen:
        source, page = source_of(assertion, endpoint.format), now.pages.get(endpoint.name)
        plain = numbers_only(assertion, source, page) if found.needs_only_numbers else None
        if plain is not None:
            found.add_numbers(*plain)
        else:
            found.add(measure(assertion, source, page, endpoint.name, since))
    readings = found.readings
    verdict = Verdict(assertion, tuple(endpoint.name for endpoint in chosen), tuple(readings))
    verdict.is_flushed = any(endpoint.format == "envoy" for endpoint in chosen)
    if since is not None and assertion.is_difference:
        verdict.remark, verdict.is_warning = _restart_remark(chosen, now, since)
    if assertion.op in PRESENCE:
        return _presence(verdict)
    failed = [reading for reading in readings if reading.failure is not None]
    if failed and not (assertion.across == "any" and any(fits(assertion, reading) for reading in readings)):
        return verdict.fail(failed[0].failure, failed)
    measured = [reading for reading in readings if reading.value is not None]
    if assertion.across == "each":
        return _each(verdict, measured)
    if assertion.across == "any":
        return _any(verdict, measured)
    return evaluate_total(verdict, measured, found)


def _evaluate_with_value(
    assertion: Assertion,
    value_from: Assertion,
    endpoints: Sequence[Endpoint],
    now: Snapshot,
    since: Snapshot | None,
) -> Verdict:
    """Evaluate an assertion whose value is read from another stat."""
    source = evaluate(value_from, endpoints, now, since)
    # Its placeholder as value makes it fail without a message, which is no error.
    failure = source.failure if source.failure is not None and source.failure.message else None
    if (
        failure is None
        and value_from.across == "each"
        and len({reading.value for reading in source.readings}) > 1
    ):
        failure = Failure("comparison", "it has several values; set across to select one of them")
    if failure is not None:
        names = tuple(endpoint.name for endpoint in endpoints_of(assertion, endpoints))
        verdict = Verdict(assertion, names, (), value_verdict=source)
        text = f"the value of {value_from.planned_subject} is unknown: {failure.message}"
        return verdict.fail(replace(failure, message=text), [])
    verdict = evaluate(
        replace(
            assertion,
            value=source.observed,
            value_from=None,
            value_subject=value_from.planned_subject,
        ),
        endpoints,
        now,
        since,
    )
    # The value can be higher in the next snapshot.
    verdict.is_final = (
        verdict.is_final and verdict.failure is not None and verdict.failure.kind != "comparison"
    )
    return verdict


def _restart_remark(chosen: Sequence[Endpoint], now: Snapshot, since: Snapshot) -> tuple[str, bool]:
    """Return a sentence where a restart between the snapshots cannot be excluded, and whether the user can change that."""
    doubts: list[tuple[str, str]] = []
    for endpoint in chosen:
        page, earlier = now.pages.get(endpoint.name), since.pages.get(endpoint.name)
        if page is None or earlier is None or page.failure is not None or earlier.failure is not None:
            continue
        reason = restart_uncertainty(earlier.identity, page.identity)
        if reason:
            doubts.append((endpoint.name, reason))
    if not doubts:
        return "", False
    name, reason = next((doubt for doubt in doubts if doubt[1] != STARTED_NEAR_SNAPSHOT), doubts[0])
    more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
    return (
        f"A restart of {name}{more} between the snapshots cannot be excluded, because {reason}.",
        reason != STARTED_NEAR_SNAPSHOT,
    )


def _missing_pods(
    assertion: Assertion, endpoints: Sequence[Endpoint], chosen: Sequence[Endpoint], since: Snapshot | None
) -> list[Reading]:
    """Return a failed reading for each pod that the assertion is about and that does not exist now."""
    if not any(endpoint.pods is not None for endpoint in endpoints):
        return []
    ready = ", ".join(endpoint.name for endpoint in endpoints[:_MOST_NAMES])
    readings = [
        Reading(
            pattern,
            assertion.stat,
            failure=Failure(
                "unreachable", f"no ready pod has the name {pattern}; the ready pods are {ready}"
            ),
        )
        for pattern in unmatched_patterns(endpoints, assertion.endpoint)
    ]
    if since is None or not assertion.is_difference:
        return readings
    existing, formats = {endpoint.name for endpoint in endpoints}, {endpoint.format for endpoint in chosen}
    for page in since.pages.values():
        is_selected = (
            any(
                fnmatchcase(name, pattern)
                for pattern in assertion.endpoint
                for name in (page.name, page.group)
            )
            if assertion.endpoint
            else page.format in formats
        )
        if page.group and page.name not in existing and is_selected:
            text = f"pod {page.name} was deleted, and what it counted since then is lost"
            readings.append(Reading(page.name, assertion.stat, failure=Failure("restarted", text)))
    return readings


def _presence(verdict: Verdict) -> Verdict:
    readings, op = verdict.readings, verdict.assertion.op
    failed = [
        reading for reading in readings if reading.failure is not None and reading.failure.kind != "absent"
    ]
    if failed:
        return verdict.fail(failed[0].failure, failed)
    present = [reading for reading in readings if reading.failure is None]
    absent = [reading for reading in readings if reading.failure is not None]
    verdict.observed = len(present)
    if op == "absent":
        if present and not (absent and verdict.assertion.across == "any"):
            text = f"it exists with value {format_value(present[0].value)}"
            return verdict.fail(Failure("comparison", text), present)
    elif absent and not (present and verdict.assertion.across == "any"):
        return verdict.fail(absent[0].failure, absent)
    verdict.ok = True
    return verdict


def _each(verdict: Verdict, readings: list[Reading]) -> Verdict:
    failed = [reading for reading in readings if not fits(verdict.assertion, reading)]
    _set_observed(verdict, (failed or readings)[0])
    if not failed:
        verdict.ok = True
        return verdict
    verdict.fail(Failure("comparison", ""), failed)
    verdict.is_final = any(_is_past(verdict.assertion, reading) for reading in failed)
    return verdict


def _any(verdict: Verdict, readings: list[Reading]) -> Verdict:
    fitting = [reading for reading in readings if fits(verdict.assertion, reading)]
    verdict.ok = bool(fitting)
    shown = fitting or readings
    if shown:
        verdict.observed, verdict.estimate = shown[0].value, shown[0].estimate
    return verdict if verdict.ok else verdict.fail(Failure("comparison", ""), readings)


def _set_observed(verdict: Verdict, reading: Reading) -> None:
    verdict.observed, verdict.estimate = reading.value, reading.estimate
    if verdict.assertion.tolerance.binomial:
        verdict.above, verdict.below = reading.above, reading.below


def _is_past(assertion: Assertion, reading: Reading) -> bool:
    return (
        reading.grows
        and reading.value is not None
        and growth_cannot_help(assertion.op, reading.value, assertion.value, assertion.tolerance)
    )
