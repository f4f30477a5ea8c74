# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hints about a stat that does not exist: the nearest names, and what can hide it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import source_of
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
_TIMEOUT = 2.0  # seconds for reading all names
_OVERTIME = 0.5  # seconds after the deadline, at which most waits end
_PROMQL_HINT = "Check that Prometheus scrapes it with these labels, and did so in the last five minutes."


async def add_hints(
    pool: EndpointPool, verdicts: Sequence[Verdict], snapshot: Snapshot, deadline: float
) -> None:
    """Read all names of a few endpoints, and add the nearest ones to the verdicts about absent stats.

    Args:
        pool: The endpoints.
        verdicts: The verdicts, of which those about absent stats get a hint.
        snapshot: The snapshot that was evaluated.
        deadline: On the clock of `time.monotonic`. Reading the names takes up to half a second longer.
    """
    absent = [
        verdict
        for verdict in verdicts
        if not verdict.ok
        and verdict.failure is not None
        and verdict.failure.kind == "absent"
        and verdict.failed
    ]
    for verdict in absent:
        if verdict.assertion.source == SOURCE:
            verdict.hint = _PROMQL_HINT
    explained = [
        verdict
        for verdict in absent
        if verdict.assertion.source != SOURCE
        and verdict.failed[0].endpoint in pool.clients  # a pod may have been deleted
        and "earlier snapshot" not in (verdict.failure.message if verdict.failure else "")
    ]
    queries: dict[str, Query] = {}
    for verdict in explained:
        endpoint = verdict.failed[0].endpoint
        source = source_of(verdict.assertion, pool.clients[endpoint].endpoint.format)
        query = Query({source: Selection(everything=True)}, True, identity=False)
        if endpoint in queries or len(queries) < _MOST_ENDPOINTS:
            queries[endpoint] = queries[endpoint].union(query) if endpoint in queries else query
    if not queries:
        return
    now = time.monotonic()
    until = min(now + min(_TIMEOUT, pool.limits.request_timeout), max(deadline, now + _OVERTIME))
    everything = await pool.snapshot(queries, until)
    for verdict in explained:
        reading = verdict.failed[0]
        source = source_of(verdict.assertion, pool.clients[reading.endpoint].endpoint.format)
        page = everything.pages.get(reading.endpoint)
        if page is not None and source in page.sources:
            add_hint(verdict, page, source)
            _add_usedonly_hint(verdict, page, snapshot.pages.get(reading.endpoint))


def add_hint(verdict: Verdict, page: Page, source: str) -> None:
    """Add a hint from a page that has everything of a source."""
    verdict.hint = _label_hint(verdict.assertion, page, source) or hint(
        _missing_name(verdict), _names(page, source), _histograms(page, source), source
    )


def _label_hint(assertion: Assertion, page: Page, source: str) -> str:
    """Return a hint where a metric exists, but with other labels."""
    if not assertion.labels or not assertion.stat:
        return ""
    samples = page.sources[source]
    found = sorted(prometheus_text.select([*samples.values, *samples.histograms], assertion.stat.__eq__, {}))
    if any(prometheus_text.select(found, assertion.stat.__eq__, dict(assertion.labels))):
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"It has other labels: {found[0]}{more}." if found else ""


def _add_usedonly_hint(verdict: Verdict, page: Page, evaluated: Page | None) -> None:
    """Add a hint where every stat that matches a pattern is left out as unused."""
    match, samples = verdict.assertion.match, evaluated.sources.get("stats") if evaluated else None
    if match is None or samples is None or not samples.selection.usedonly:
        return
    unused = sorted(
        {name for name in (*_names(page, "stats"), *_histograms(page, "stats")) if match.matches(name)}
    )
    if unused:
        verdict.hint = f"usedonly leaves out stats that Envoy has never used, such as {unused[0]}."


def hint(stat: str, names: Iterable[str], histograms: Iterable[str] = (), source: str = "stats") -> str:
    """Return a sentence about what to check for a stat that does not exist.

    Args:
        stat: The name of the stat; empty where only labels or a pattern select stats.
        names: All names of counters, gauges and text readouts.
        histograms: All names of histograms.
        source: The source of the stat.

    Example:
        >>> hint("server.lives", ["server.live", "server.uptime"])
        'The nearest names are server.live, server.uptime.'
    """
    histograms = set(histograms)
    known = sorted(set(names) | histograms)
    if not known:
        if source == "stats":
            return "The endpoint has no stats. Check the stats matcher in its bootstrap."
        return f"{source} is empty."
    if not stat:
        return f"There are {len(known)} names, such as {known[0]}."
    if stat in histograms:
        return "It is a histogram. Set quantile or bucket."
    if stat in known:
        if source in ("stats", "prometheus"):
            return "It is a counter or a gauge. Remove quantile and bucket."
        return "It was created in the meantime."
    if (
        sanitized := stat.replace("://", "_").replace(":/", "_").replace(":", "_")
    ) in known and sanitized != stat:
        return f"Envoy replaces ':' by '_' in stat names: write {sanitized}."
    nearest = get_close_matches(stat, known, _MOST_NAMES, 0.75)
    # A stat of the same family is nearer than one that only looks similar.
    family, dot, last = stat.rpartition(".")
    siblings = [name for name in known if dot and name.startswith(f"{family}.")]
    if siblings:
        nearest = get_close_matches(stat, siblings, _MOST_NAMES, 0.5) or siblings[:1]
        if _counts_a_status(last):
            return (
                f"The nearest names are {', '.join(nearest)}."
                " Envoy creates it at the first such response; default: 0 counts it as 0 until then."
            )
    if nearest:
        return f"The nearest names are {', '.join(nearest)}."
    text = f"No name begins with {_unknown_beginning(stat, known)}."
    return f"{text} Check the name and the stats matcher." if source == "stats" else text


def _unknown_beginning(stat: str, known: Iterable[str]) -> str:
    """Return the shortest beginning of `stat`, up to one of its dots, that no known name has."""
    parts = stat.split(".")
    beginnings = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return next(
        (
            beginning
            for beginning in beginnings
            if not any(name.startswith(f"{beginning}.") for name in known)
        ),
        stat,
    )


def _counts_a_status(last: str) -> bool:
    """Return whether a stat with this last part counts responses of one status, such as upstream_rq_5xx."""
    return re.search(r"_rq_([1-5]xx|[1-5]\d\d)$", last) is not None


def _missing_name(verdict: Verdict) -> str:
    """Return the name that does not exist: the stat's, or that of the ratio's denominator."""
    assertion, failure = verdict.assertion, verdict.failure
    if assertion.over and failure is not None and failure.message.startswith(assertion.over):
        return assertion.over
    stat = verdict.failed[0].stat
    return assertion.stat if stat == assertion.stat_text else stat.partition("{")[0]


def _names(page: Page, source: str) -> list[str]:
    return [_metric(name, source) for name in page.sources[source].values]


def _histograms(page: Page, source: str) -> list[str]:
    return [_metric(name, source) for name in page.sources[source].histograms]


def _metric(name: str, source: str) -> str:
    return name.partition("{")[0] if source == "prometheus" else name
