# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries: which sources of an endpoint to read, and the admin paths that return no more than that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection

# Characters. A longer filter is not sent; all stats are read instead, and searched here.
_MAX_FILTER = 8_000
# Written as ranges of ASCII: a complement includes all of Unicode, and takes longer to compile than some tasks take to run.
_SPECIAL = re.compile(r"[\x00-/:-@\[-^`{-\x7f]")
# The stats that identify a process if /server_info cannot be read.
IDENTITY = Selection(frozenset(["server.uptime", "server.hot_restart_epoch"]))
# Matches no stat. With stats_flush_on_admin, the request makes Envoy flush.
NO_STATS_PATH = "/stats?filter=%5E%24"
# When Envoy loaded its bootstrap, in milliseconds. Envoy builds the whole dump, and then returns only this field of it.
BOOTSTRAP_LOADED_PATH = "/config_dump?mask=last_updated"
# Envoy's own stats in Prometheus' format, without a filter: `filter` matches Envoy's names, and selections have Prometheus' names.
PROMETHEUS_PATH = "/stats?format=prometheus"
# How many updates of its configuration Envoy rejected; the config dump does not contain it.
REJECTED_UPDATES = Selection(patterns=(compile_pattern(r".*\.update_rejected", "config"),))
_IDENTITY_METRICS = Selection(
    frozenset(["process_start_time_seconds", "envoy_server_uptime", "envoy_server_hot_restart_epoch"])
)


@dataclass(frozen=True)
class Query:
    """What to read from one endpoint."""

    sources: dict[str, Selection] = field(default_factory=dict)
    """The selection of readings by the name of its source (see `sources.SOURCES`)."""
    histograms: bool = False
    """Whether to read histograms of the sources `stats` and `prometheus`."""
    identity: bool = True
    """Whether to read which process answers: its version, state, start time and epoch."""

    def union(self, other: Query) -> Query:
        """Return the query that reads what either query reads."""
        sources = dict(self.sources)
        for source, selection in other.sources.items():
            sources[source] = sources[source].union(selection) if source in sources else selection
        return Query(sources, self.histograms or other.histograms, self.identity or other.identity)


EVERYTHING = Query({"stats": Selection(everything=True)}, histograms=True)


def reads_histograms(query: Query) -> bool:
    """Return whether the query reads a source with histograms."""
    return query.histograms and not query.sources.keys().isdisjoint(("stats", "prometheus"))


def with_identity_metrics(query: Query, form: str) -> Query:
    """Return the query with the metrics that identify the process, which a Prometheus page contains."""
    if form != "prometheus" or not query.identity:
        return query
    return query.union(Query({"prometheus": _IDENTITY_METRICS}))


@lru_cache(maxsize=16)  # the endpoints of a fleet have equal selections
def stats_path(selection: Selection, histograms: bool) -> str:
    """Return the path of /stats with a filter for the selection."""
    options = ["format=json"]
    if histograms:
        options.append("histogram_buckets=detailed")
    if selection.usedonly:
        options.append("usedonly")
    return "/stats?" + "&".join([*options, *_filter(_alternatives(selection))])


def counters_path(names: Iterable[str]) -> str:
    """Return the path of /stats that returns those of these stats that are counters."""
    return "/stats?" + "&".join(
        ["format=json", "type=Counters", *_filter([re2_escape(name) for name in sorted(names)])]
    )


def re2_escape(name: str) -> str:
    """Return a pattern that matches the name: each ASCII character except letters, digits and underscore is escaped."""
    return _SPECIAL.sub(r"\\\g<0>", name)


def _alternatives(selection: Selection) -> list[str]:
    if selection.everything:
        return []
    names = [re2_escape(name) for name in sorted(selection.names)]
    return names + [f"(?:{pattern.source})" for pattern in selection.patterns]


def _filter(alternatives: Sequence[str]) -> list[str]:
    if not alternatives or any("\n" in text or "\0" in text for text in alternatives):
        return []
    expression = quote(f"^(?:{'|'.join(alternatives)})$", safe="")
    return [f"filter={expression}"] if len(expression) <= _MAX_FILTER else []
