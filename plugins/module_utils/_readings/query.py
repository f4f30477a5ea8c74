# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask of an endpoint, so that no more travels than is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern, compile_pattern
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
