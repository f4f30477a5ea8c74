# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For a stat that is not there: which names come near, and what may hide it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.required_queries import source_of
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import EndpointPool
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import prometheus_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.promql import SOURCE
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Selection,
    Snapshot,
)

_MOST_ENDPOINTS = 3
_MOST_NAMES = 3
# Seconds that asking for all names may take; and those of them that it has after the deadline, at which most waits end.
_LONGEST = 2.0
_AFTERWARDS = 0.5


async def explain_absence(
    fleet: EndpointPool, verdicts: Sequence[Verdict], seen: Snapshot, deadline: float
) -> None:
    """Asks, of a few endpoints, for all names, and adds what comes near to the messages.

    `seen` is what the verdicts are about. After `deadline`, on the monotonic clock, there is half a second for it.
    """
    missing = [
        one
        for one in verdicts
        if not one.ok and one.failure is not None and one.failure.kind == "absent" and one.wrong
    ]
    for verdict in missing:
        if verdict.assertion.source == SOURCE:
            verdict.hint = "; is it scraped, under these labels, and was it within the last five minutes?"
    about = [
        one
        for one in missing
        if one.assertion.source != SOURCE
        and one.wrong[0].endpoint in fleet.clients  # a pod may have gone meanwhile
        and "earlier snapshot" not in (one.failure.message if one.failure else "")
    ]
    wanted: dict[str, Query] = {}
    for verdict in about:
        endpoint = verdict.wrong[0].endpoint
        source = source_of(verdict.assertion, fleet.clients[endpoint].endpoint.format)
        ask = Query({source: Selection(everything=True)}, True, identity=False)
        if endpoint in wanted or len(wanted) < _MOST_ENDPOINTS:
            wanted[endpoint] = wanted[endpoint].union(ask) if endpoint in wanted else ask
    if not wanted:
        return
    now = time.monotonic()
    until = min(now + min(_LONGEST, fleet.limits.request_timeout), max(deadline, now + _AFTERWARDS))
    snapshot = await fleet.snapshot(wanted, until)
    for verdict in about:
        reading = verdict.wrong[0]
        source = source_of(verdict.assertion, fleet.clients[reading.endpoint].endpoint.format)
        page = snapshot.pages.get(reading.endpoint)
        if page is not None and source in page.sources:
            explain_from(verdict, page, source)
            _name_usedonly(verdict, page, seen.pages.get(reading.endpoint))


def explain_from(verdict: Verdict, page: Page, source: str) -> None:
    """Adds what comes near out of a page with everything of a source."""
    words = _with_other_labels(verdict.assertion, page, source)
    verdict.hint = (
        f"; {words or hint(_asked_for(verdict), _names(page, source), _histograms(page, source), source)}"
    )


def _with_other_labels(assertion: Assertion, page: Page, source: str) -> str:
    """Where a metric is there, and not with these labels."""
    if not assertion.labels or not assertion.stat:
        return ""
    samples = page.sources[source]
    found = sorted(prometheus_text.select([*samples.values, *samples.histograms], assertion.stat.__eq__, {}))
    if any(prometheus_text.select(found, assertion.stat.__eq__, dict(assertion.labels))):
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"its labels are others: there is {found[0]}{more}" if found else ""


def _name_usedonly(verdict: Verdict, page: Page, seen: Page | None) -> None:
    """Where a pattern found nothing, since all that it would have found was never used."""
    match, samples = verdict.assertion.match, seen.sources.get("stats") if seen else None
    if match is None or samples is None or not samples.selection.usedonly:
        return
    unused = sorted(
        {name for name in (*_names(page, "stats"), *_histograms(page, "stats")) if match.matches(name)}
    )
    if unused:
        verdict.hint = f"; usedonly hides what Envoy has never used, such as {unused[0]}"


def hint(stat: str, names: Iterable[str], histograms: Iterable[str] = (), source: str = "stats") -> str:
    """What a person may look at next."""
    known = sorted(set(names) | set(histograms))
    if not known:
        return (
            f"there are no {source} at all; does a stats matcher hide them?"
            if source == "stats"
            else f"{source} is empty"
        )
    if not stat:
        return f"there are {len(known)} names, e.g. {known[0]}"
    if stat in set(histograms):
        return "it is a histogram: say which quantile or bucket of it"
    if stat in set(names):
        return (
            "it is no histogram: leave quantile and bucket out"
            if source in ("stats", "prometheus")
            else "it has come meanwhile"
        )
    near = get_close_matches(stat, known, _MOST_NAMES, 0.75)
    # The same family with another last word is nearer than what only looks alike.
    family, dot, last = stat.rpartition(".")
    siblings = [name for name in known if dot and name.startswith(f"{family}.")]
    if siblings:
        near = get_close_matches(stat, siblings, _MOST_NAMES, 0.5) or siblings[:1]
        if _by_status(last):
            words = "Envoy makes it at the first such answer (`default: 0` counts it as 0 until then)"
            return f"{words}; near it is {', '.join(near)}"
    if near:
        return f"near it is {', '.join(near)}"
    prefix = _first_unknown(stat, known)
    if source != "stats":
        return f"nothing begins with {prefix}"
    return f"nothing begins with {prefix}; is it named so, or does a stats matcher hide it?"


def _first_unknown(stat: str, known: Iterable[str]) -> str:
    """The shortest beginning of `stat`, up to one of its dots, that no known name has."""
    parts = stat.split(".")
    beginnings = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return next((one for one in beginnings if not any(name.startswith(f"{one}.") for name in known)), stat)


def _by_status(word: str) -> bool:
    """Whether a stat counts answers of one status, such as upstream_rq_5xx."""
    stem, _underscore, status = word.rpartition("_")
    return stem.endswith("_rq") and status[:1].isdigit()


def _asked_for(verdict: Verdict) -> str:
    assertion, failure = verdict.assertion, verdict.failure
    if assertion.over and failure is not None and failure.message.startswith(assertion.over):
        return assertion.over
    return (
        verdict.wrong[0].stat.partition("{")[0]
        if verdict.wrong[0].stat != verdict.assertion.what
        else verdict.assertion.stat
    )


def _names(page: Page, source: str) -> list[str]:
    return [
        name.partition("{")[0] if source == "prometheus" else name for name in page.sources[source].values
    ]


def _histograms(page: Page, source: str) -> list[str]:
    return [
        name.partition("{")[0] if source == "prometheus" else name for name in page.sources[source].histograms
    ]
