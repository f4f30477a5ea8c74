# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: each parser reads any bytes or refuses them by its own exception, and two ways of reading agree."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

from ansible_collections.meshlab.envoy.plugins.module_utils.admin.clusters import read_clusters
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.automaton import Automaton
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.envoy_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.errors import ScrapeError, SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.facts import read_facts, read_identity
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.pattern import compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.prometheus import (
    parse_series,
    parse_text,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.promql import parse_answer
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.snapshot import (
    Selection,
    read_snapshot,
)

EVERYTHING = Selection(everything=True)
FACTS = ("server_info", "clusters", "listeners", "certs", "config", "runtime")


def envoy_json(data: bytes) -> None:
    """What is found without building everything is what is there."""
    try:
        whole = parse_stats(data, EVERYTHING, histograms=True)
    except ScrapeError:
        return
    json.dumps(whole.as_data(), allow_nan=False)
    picked = parse_stats(data, EVERYTHING, histograms=False)
    if picked.values != whole.values:
        raise AssertionError(f"{picked.values!r} was picked, {whole.values!r} is there")


def prometheus_text(data: bytes) -> None:
    with contextlib.suppress(ScrapeError):
        for key in parse_text(data, EVERYTHING).values:
            if series(*parse_series(key)) != key:
                raise AssertionError(f"{key!r} is not read back")


def promql(data: bytes) -> None:
    with contextlib.suppress(ScrapeError):
        json.dumps(parse_answer(data, "query").as_data(), allow_nan=False)


def facts(data: bytes) -> None:
    with contextlib.suppress(ScrapeError):
        read_identity(data, 1.0, 0.1)
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return
    for source in FACTS:
        with contextlib.suppress(ScrapeError):
            json.dumps(read_facts(source, decoded), allow_nan=False)
    with contextlib.suppress(ScrapeError):
        json.dumps(read_clusters(decoded), allow_nan=False)


def snapshot(data: bytes) -> None:
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(SpecError):
        read_snapshot(decoded).as_data()


def pattern(data: bytes) -> None:
    """A pattern and a name, parted by a line's end: both engines agree, and the literal is in what matches."""
    source, _end, name = data.decode("utf-8", "replace").partition("\n")
    try:
        compiled = compile_pattern(source[:60], "match")
        automaton = Automaton(source[:60])
    except SpecError:
        return
    matches = compiled.matches(name[:60])
    if matches != automaton.fullmatch(name[:60]):
        raise AssertionError(f"the engines differ on {source[:60]!r} and {name[:60]!r}")
    if matches and compiled.literal not in name[:60]:
        raise AssertionError(f"{compiled.literal!r} is not in {name[:60]!r}, which {source[:60]!r} matches")


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (envoy_json, prometheus_text, promql, facts, snapshot, pattern)
}
__all__ = ["TARGETS"]
