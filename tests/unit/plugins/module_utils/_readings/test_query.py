# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries, and the paths of /stats."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import (
    EVERYTHING,
    Query,
    counters_path,
    re2_escape,
    reads_histograms,
    stats_path,
    with_identity_metrics,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection

NAMED = Selection(frozenset(["a.b", "c"]))


def test_union_reads_what_either_query_reads() -> None:
    union = Query({"stats": NAMED}, identity=False).union(
        Query({"stats": Selection(frozenset(["d"])), "certs": NAMED}, True)
    )
    assert union == Query({"stats": Selection(frozenset(["a.b", "c", "d"])), "certs": NAMED}, True, True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (EVERYTHING, True),
        (Query({"prometheus": NAMED}, histograms=True), True),
        (Query({"certs": NAMED}, histograms=True), False),
        (Query({"stats": NAMED}), False),
    ],
)
def test_queries_with_histograms(query: Query, expected: bool) -> None:
    assert reads_histograms(query) is expected


def test_prometheus_page_is_read_with_its_identity() -> None:
    assert with_identity_metrics(EVERYTHING, "envoy") == EVERYTHING
    without = Query({"prometheus": NAMED}, identity=False)
    assert with_identity_metrics(without, "prometheus") == without
    metrics = with_identity_metrics(Query({"prometheus": NAMED}), "prometheus").sources["prometheus"].names
    assert {"a.b", "process_start_time_seconds", "envoy_server_uptime"} <= metrics


@pytest.mark.parametrize(
    ("selection", "histograms", "path"),
    [
        (Selection(everything=True), False, "/stats?format=json"),
        (Selection(everything=True), True, "/stats?format=json&histogram_buckets=detailed"),
        (NAMED, False, "/stats?format=json&filter=^(?:a\\.b|c)$"),
        (
            Selection(patterns=(compile_pattern("a|b", "match"),), usedonly=True),
            False,
            "/stats?format=json&usedonly&filter=^(?:(?:a|b))$",
        ),
        (Selection(frozenset(["a\nb"])), False, "/stats?format=json"),
        (Selection(frozenset(["a" * 9_000])), False, "/stats?format=json"),
    ],
)
def test_path_of_a_selection(selection: Selection, histograms: bool, path: str) -> None:
    assert unquote(stats_path(selection, histograms)) == path


def test_path_of_counters() -> None:
    assert unquote(counters_path(["b", "a.x"])) == "/stats?format=json&type=Counters&filter=^(?:a\\.x|b)$"


def test_escaped_name_matches_itself() -> None:
    name = "".join(map(chr, range(32, 127))) + "é"
    assert compile_pattern(re2_escape(name), "match").matches(name)
