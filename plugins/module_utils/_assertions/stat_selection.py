# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Select for an assertion the endpoints that it is about, what to read from them, and its stats among the readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    Assertion,
    with_value_stats,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import PRESENCE
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import Pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, pick
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import prometheus_text, promql
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples, Selection


def source_of(assertion: Assertion, endpoint_format: str) -> str:
    """Return the source that an assertion reads on an endpoint of this format."""
    if assertion.source == promql.SOURCE:
        return promql.source_for(assertion.stat)
    if assertion.source == "stats" and (endpoint_format == "prometheus" or assertion.has_labels):
        return "prometheus"
    return assertion.source


def endpoints_of(assertion: Assertion, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Return the endpoints that an assertion is about: Prometheus servers for a query, all others for anything else.

    Raises:
        ArgumentError: No endpoint has the name or the format that the assertion needs.
    """
    known = list(endpoints)
    where = assertion.name or "assertion"
    is_query = assertion.source == promql.SOURCE
    if is_query and not assertion.endpoint:
        if not any(each.format == promql.SOURCE for each in known):
            raise ArgumentError(
                where,
                "promql needs a Prometheus server, and no endpoint has format: promql. Add one to endpoints.",
            )
        return [each for each in known if each.format == promql.SOURCE or each.whole_host]
    if assertion.endpoint:
        chosen = pick(known, assertion.endpoint, where)
    else:
        chosen = pick([each for each in known if each.format != promql.SOURCE], ())
        if not chosen:
            raise ArgumentError(
                where, "all endpoints are Prometheus servers. Use promql instead of stat or match."
            )
    for endpoint in chosen:
        if not endpoint.whole_host and (endpoint.format == promql.SOURCE) != is_query:
            advice = (
                "is not a Prometheus server. Use stat or match instead of promql"
                if is_query
                else "is a Prometheus server. Use promql instead of stat or match"
            )
            raise ArgumentError(
                where, f"endpoint {endpoint.name} has format {endpoint.format}, so it {advice}."
            )
    return chosen


def required_queries(
    assertions: Iterable[Assertion],
    endpoints: Sequence[Endpoint],
    identity: bool = True,
    usedonly: bool | None = None,
) -> dict[str, Query]:
    """Return what to read from each endpoint, by the endpoint's name.

    Args:
        assertions: The assertions to evaluate afterwards.
        endpoints: All endpoints.
        identity: Whether to read which process answers; a difference always reads it.
        usedonly: Whether to leave out stats that Envoy has never used; None leaves them out where that changes no number.

    Raises:
        ArgumentError: An assertion names no endpoint of the right format.
    """
    queries: dict[str, Query] = {}
    for assertion in with_value_stats(assertions):
        stats = frozenset(name for name in (assertion.stat, assertion.over) if name)
        patterns = tuple(each for each in (assertion.match, assertion.over_match) if each)
        # Labels without a name can be those of any stat.
        selection = Selection(stats, patterns, everything=not assertion.stat and not assertion.match)
        less = is_sum_of_matches(assertion) if usedonly is None else usedonly and assertion.op not in PRESENCE
        used = replace(selection, usedonly=less)
        for endpoint in endpoints_of(assertion, endpoints):
            source = source_of(assertion, endpoint.format)
            query = Query(
                {source: used if source == "stats" else selection},
                assertion.is_histogram or assertion.op in PRESENCE,
                identity or assertion.is_difference,
            )
            earlier = queries.get(endpoint.name)
            queries[endpoint.name] = earlier.union(query) if earlier else query
    return queries


def is_sum_of_matches(assertion: Assertion) -> bool:
    """Return whether unused stats, each of which is 0, change nothing: of a sum over a pattern."""
    return assertion.match is not None and assertion.across == "sum" and not assertion.is_ratio


def selected_names(assertion: Assertion, source: str, samples: Samples) -> list[str]:
    """Return the stats among `samples` that an assertion is about."""
    pool: Mapping[str, object] = samples.histograms if assertion.is_histogram else samples.values
    if assertion.op in PRESENCE:
        pool = {**samples.values, **samples.histograms}
    if assertion.source == promql.SOURCE:
        return sorted(pool)
    if source == "prometheus":
        is_named = _name_filter(assertion.stat, assertion.match)
        return sorted(prometheus_text.select(pool, is_named, dict(assertion.labels or ())))
    if assertion.match is not None:
        return sorted(name for name in pool if assertion.match.matches(name))
    return [assertion.stat]


def denominator_names(assertion: Assertion, source: str, samples: Samples) -> list[str]:
    """Return the stats among `samples` that are the denominator of an assertion's ratio."""
    if not assertion.is_ratio:
        return []
    if source == "prometheus":
        # The metric that counts everything lacks the label that selects a part of it.
        labels, loosely = assertion.over_labels, assertion.over_labels is None
        selected = dict((assertion.labels if labels is None else labels) or ())
        is_named = _name_filter(assertion.over, assertion.over_match)
        return sorted(prometheus_text.select(samples.values, is_named, selected, loosely))
    if assertion.over_match is not None:
        return sorted(name for name in samples.values if assertion.over_match.matches(name))
    return [assertion.over]


def _name_filter(name: str, pattern: Pattern | None) -> Callable[[str], bool]:
    if pattern is not None:
        return pattern.matches
    return name.__eq__ if name else lambda _name: True


def removed_names(assertion: Assertion, source: str, samples: Samples, earlier: Samples | None) -> list[str]:
    """Return the stats that existed in the earlier snapshot only, such as those of a removed cluster."""
    if earlier is None:
        return []
    chosen = {*selected_names(assertion, source, earlier), *denominator_names(assertion, source, earlier)}
    counts: dict[str, object] = {name: earlier.values.get(name) for name in chosen}
    if assertion.is_histogram:
        counts = {name: earlier.histograms[name].count for name in chosen if name in earlier.histograms}
    return sorted(
        name
        for name, count in counts.items()
        if name not in samples.values
        and name not in samples.histograms
        and isinstance(count, (int, float))
        # With usedonly, a stat that is not listed is 0.
        and (count or not samples.selection.usedonly)
    )
