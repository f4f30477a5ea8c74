# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask of an endpoint, so that no more travels than is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    PRESENCE,
    Assertion,
    with_others,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern, compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, pick
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import promql
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection

# Longer filters are not sent: the whole answer travels instead, and is searched here.
_LONGEST_FILTER = 8_000
# The rest of ASCII, written out: the complement, with all of Unicode in it, takes longer to compile than some tasks to run.
_SPECIAL = re.compile(r"[\x00-/:-@\[-^`{-\x7f]")
# Which process answers, where nothing says it better: of Envoy's own stats, and of a page in Prometheus' format.
IDENTITY = Selection(frozenset(["server.uptime", "server.hot_restart_epoch"]))
# A question that no stat answers: it is asked for its flush.
NOTHING = "/stats?filter=%5E%24"
# When the bootstrap was loaded, in milliseconds: of a dump, which Envoy makes whole and then leaves out all else of.
LOADED = "/config_dump?mask=last_updated"
# How many updates of its configuration Envoy refused; its dump does not say it.
REJECTED = Selection(patterns=(compile_pattern(r".*\.update_rejected", "config"),))
_ON_A_PAGE = Selection(
    frozenset(["process_start_time_seconds", "envoy_server_uptime", "envoy_server_hot_restart_epoch"])
)


@dataclass(frozen=True)
class Wanted:
    """The sources to ask of one endpoint, and what is looked for in each."""

    sources: dict[str, Selection] = field(default_factory=dict)
    histograms: bool = False
    identity: bool = True  # ask which process answers: its version, state, start time and epoch

    def also(self, other: Wanted) -> Wanted:
        sources = dict(self.sources)
        for source, selection in other.sources.items():
            sources[source] = sources[source].also(selection) if source in sources else selection
        return Wanted(sources, self.histograms or other.histograms, self.identity or other.identity)


EVERYTHING = Wanted({"stats": Selection(everything=True)}, histograms=True)


def reads_histograms(wanted: Wanted) -> bool:
    """Whether what an Envoy is asked for has histograms in it."""
    return wanted.histograms and not wanted.sources.keys().isdisjoint(("stats", "prometheus"))


def source_of(assertion: Assertion, form: str) -> str:
    """Where an assertion looks on an endpoint of a format."""
    if assertion.source == promql.SOURCE:
        return promql.source_for(assertion.stat)
    if assertion.source == "stats" and (form == "prometheus" or assertion.by_labels):
        return "prometheus"
    return assertion.source


def asked(assertion: Assertion, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The endpoints that an assertion is about. A query is for Prometheus servers, and everything else is not."""
    everyone = list(endpoints)
    where = assertion.name or "assertion"
    servers = [one for one in everyone if one.format == promql.SOURCE]
    if assertion.source == promql.SOURCE and not assertion.endpoint:
        if not servers:
            raise SpecError(f"{where}: promql needs an endpoint whose format is promql: a Prometheus server")
        return [one for one in everyone if one.format == promql.SOURCE or one.whole_host]
    if assertion.endpoint:
        chosen = pick(everyone, assertion.endpoint, where)
    else:
        chosen = pick([one for one in everyone if one.format != promql.SOURCE], ())
        if not chosen:
            raise SpecError(f"{where}: all endpoints are Prometheus servers; ask them with promql")
    for endpoint in chosen:
        if not endpoint.whole_host and (endpoint.format == promql.SOURCE) != (
            assertion.source == promql.SOURCE
        ):
            words = (
                "is no Prometheus server"
                if assertion.source == promql.SOURCE
                else "is a Prometheus server: ask it with promql"
            )
            raise SpecError(f"{where}: endpoint {endpoint.name} {words} (its format is {endpoint.format})")
    return chosen


def wanted_by(
    assertions: Iterable[Assertion],
    endpoints: Sequence[Endpoint],
    identity: bool = True,
    usedonly: bool | None = None,
) -> dict[str, Wanted]:
    """What each endpoint has to be asked for, by its name; `usedonly` None: where that changes no number."""
    answer: dict[str, Wanted] = {}
    for assertion in with_others(assertions):
        stats = frozenset(name for name in (assertion.stat, assertion.over) if name)
        patterns = tuple(one for one in (assertion.match, assertion.over_match) if one)
        # Labels alone may be those of any name.
        selection = Selection(stats, patterns, everything=not assertion.stat and not assertion.match)
        less = adds_only(assertion) if usedonly is None else usedonly and assertion.op not in PRESENCE
        used = replace(selection, usedonly=less)
        for endpoint in asked(assertion, endpoints):
            source = source_of(assertion, endpoint.format)
            wanted = Wanted(
                {source: used if source == "stats" else selection},
                assertion.about_histogram or assertion.op in ("present", "absent"),
                identity or assertion.since,
            )
            before = answer.get(endpoint.name)
            answer[endpoint.name] = before.also(wanted) if before else wanted
    return answer


def adds_only(assertion: Assertion) -> bool:
    """Whether what Envoy never used, each of which is 0, changes nothing: of a sum over a pattern."""
    return assertion.match is not None and assertion.across == "sum" and not assertion.ratio


def asked_anyway(wanted: Wanted, form: str) -> Wanted:
    """For Prometheus' format the start time, or Envoy's uptime, is one of the metrics."""
    if form != "prometheus" or not wanted.identity:
        return wanted
    return wanted.also(Wanted({"prometheus": _ON_A_PAGE}))


@lru_cache(maxsize=16)  # a fleet's endpoints are asked for the same
def stats_path(selection: Selection, histograms: bool) -> str:
    """Envoy's /stats with a filter that lets through what is wanted."""
    options = ["format=json"]
    if histograms:
        options.append("histogram_buckets=detailed")
    if selection.usedonly:
        options.append("usedonly")
    return "/stats?" + "&".join([*options, *_filter(_names_and_patterns(selection))])


def prometheus_path(selection: Selection) -> str:
    """Envoy's stats in Prometheus' format. Its filter is about Envoy's own names, so it is of no use here."""
    del selection
    return "/stats?format=prometheus"


def kinds_path(names: Iterable[str]) -> str:
    """Which of these stats are counters."""
    return "/stats?" + "&".join(
        ["format=json", "type=Counters", *_filter([re2_escape(name) for name in sorted(names)])]
    )


def re2_escape(name: str) -> str:
    """A name as a pattern; what is no letter, digit or underscore is escaped, and RE2 takes that."""
    return _SPECIAL.sub(r"\\\g<0>", name)


def _names_and_patterns(selection: Selection) -> list[str]:
    if selection.everything:
        return []
    return [re2_escape(name) for name in sorted(selection.names)] + [
        _group(pattern) for pattern in selection.patterns
    ]


def _group(pattern: Pattern) -> str:
    return f"(?:{pattern.source})"


def _filter(alternatives: Sequence[str]) -> list[str]:
    if not alternatives or any("\n" in one or "\0" in one for one in alternatives):
        return []
    expression = quote(f"^(?:{'|'.join(alternatives)})$", safe="")
    return [f"filter={expression}"] if len(expression) <= _LONGEST_FILTER else []
