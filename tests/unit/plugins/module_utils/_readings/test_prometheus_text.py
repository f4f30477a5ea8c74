# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' text format: metrics, series, and text in another format."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_line,
    parse_series,
    parse_text,
    select,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection

ALL = Selection(everything=True)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


TEXT = b"""# HELP a_total Words
# TYPE a_total counter
a_total{x="1",y="q\\"uo\\\\te\\n"} 3
a_total{x="2"} 4 1700000000000
# TYPE g gauge
g -1.5
# TYPE h histogram
h_bucket{le="1",z="k"} 1
h_bucket{le="+Inf",z="k"} 3
h_sum{z="k"} 12.5
h_count{z="k"} 3
# TYPE s summary
s{quantile="0.5"} 2
s{quantile="0.9"} NaN
s_sum 6
s_count 3
untyped 7
"""


def test_each_kind_of_metric_is_read() -> None:
    result = parse_text(TEXT, ALL)
    assert result.values['a_total{x="2"}'] == 4
    assert result.values[series("a_total", {"y": 'q"uo\\te\n', "x": "1"})] == 3
    assert result.values["g"] == -1.5
    assert result.kinds["g"] == "gauge"
    assert result.kinds['h_count{z="k"}'] == result.kinds["s_count"] == "counter"
    assert result.values['s{quantile="0.5"}'] == 2
    assert 's{quantile="0.9"}' not in result.values
    histogram = result.histograms['h{z="k"}']
    assert (histogram.count, histogram.total) == (3, 12.5)
    assert histogram.buckets[-1] == (1, math.inf, 2)


def test_selected_metrics_are_read() -> None:
    result = parse_text(TEXT, Selection(frozenset(["h", "untyped"])))
    assert set(result.histograms) == {'h{z="k"}'}
    assert "untyped" in result.values
    assert "g" not in result.values


@pytest.mark.parametrize(
    "line", ["a{", 'a{b="c} 1', "a", "a b", "{} 1", "1a 2", 'a{b="c"', "a 1 2 3", "<html>"]
)
def test_other_text_is_refused(line: str) -> None:
    with pytest.raises(ScrapeError, match=r"format"):
        parse_text(line.encode(), ALL)


@given(
    st.from_regex(r"[a-z_:][a-z0-9_:]*", fullmatch=True),
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), NAMES, max_size=4),
)
def test_series_is_parsed_back(name: str, labels: dict[str, str]) -> None:
    assert parse_series(series(name, labels)) == (name, labels)
    assert parse_line(series(name, labels) + " 1") == (name, labels, 1.0)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for page in (raw, b"# TYPE a histogram\na_bucket{le=" + raw):
        with contextlib.suppress(ScrapeError):
            parse_text(page, ALL)


@pytest.mark.parametrize(
    ("labels", "loosely", "expected"),
    [
        ({}, False, ["a", 'a{x="1"}', 'a{x="1",y="2"}']),
        ({"x": "1"}, False, ['a{x="1"}', 'a{x="1",y="2"}']),
        ({"x": "1", "y": "2"}, False, ['a{x="1",y="2"}']),
        ({"x": "2"}, False, []),
        ({"y": "2"}, True, ["a", 'a{x="1"}', 'a{x="1",y="2"}']),
        ({"y": "3"}, True, ["a", 'a{x="1"}']),
    ],
)
def test_series_are_selected_by_labels(labels: dict[str, str], loosely: bool, expected: list[str]) -> None:
    values = ["a", 'a{x="1"}', 'a{x="1",y="2"}', "b"]
    assert list(select(values, "a".__eq__, labels, loosely)) == expected
