# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Envoy and Prometheus' format say, and what only looks like it."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import from_data
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_line,
    parse_series,
    parse_text,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection

ALL = Selection(everything=True)
FILLER = [{"name": f"filler.{number}", "value": number} for number in range(200)]


def body(*stats: dict[str, Any]) -> bytes:
    return json.dumps({"stats": list(stats)}, separators=(",", ":")).encode()


def test_numbers_and_texts() -> None:
    answer = parse_stats(
        body({"name": "a", "value": 1}, {"name": "b", "value": "text"}, {"name": "c", "value": None}), ALL
    )
    assert answer.values == {"a": 1, "b": "text"}


def test_numbers_that_are_none_or_too_many() -> None:
    raw = b'{"stats":[{"name":"a","value":NaN},{"name":"b","value":Infinity},{"name":"c","value":184467440737095516159},'
    raw += b'{"name":"d","value":1},{"name":"d","value":2},{"name":"e","value":' + b"9" * 5000 + b"}]}"
    answer = parse_stats(raw, ALL)
    assert answer.values["c"] == 184467440737095516159
    assert answer.values["d"] == 2  # the last of two with one name
    assert {"a", "b", "e"}.isdisjoint(answer.values)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html></html>",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'{"stats":{}}',
        b'{"stats":[1]}',
        b'{"stats":[{"value":1}]}',
        b"[" * 100000,
        b'{"stats":[{"histograms":{"details":[{"name":"h","totals":[{"lower_bound":0,"width":"x","count":1}],"intervals":[]}]}}]}',
        b'{"stats":[{"histograms":{"details":[{"name":"h"}]}}]}',
        b'{"stats":[{"histograms":[{"buckets":[{"upper_bound":1}]}]}]}',
        b'{"stats":[{"histograms":[{"name":[],"buckets":[]}]}]}',
        b'{"stats":[{"histograms":[{"name":5,"buckets":[]}]}]}',
        b'{"stats":[{"histograms":{"details":[{"name":null,"totals":[],"intervals":[]}]}}]}',
        b'{"stats":[{"histograms":[{"name":"h","buckets":[{"upper_bound":NaN,"cumulative":1,"interval":0}]}]}]}',
        b'{"stats":[{"histograms":[{"name":"h","buckets":[{"upper_bound":1,"cumulative":NaN,"interval":0}]}]}]}',
        b'{"stats":[{"histograms":[{"name":"h","buckets":[{"upper_bound":1,"cumulative":1,"interval":Infinity}]}]}]}',
    ],
)
def test_what_is_not_envoys_is_unparsable(raw: bytes) -> None:
    with pytest.raises(ScrapeError) as caught:
        parse_stats(raw, ALL)
    assert caught.value.kind == "unparsable"
    assert len(caught.value.message) < 300


def test_a_long_answer_cut_off_is_unparsable_however_it_is_read() -> None:
    whole = body(*FILLER, {"name": "wanted", "value": 7})
    assert len(whole) > 4096
    selection = Selection(frozenset(["wanted"]))
    assert parse_stats(whole, selection, histograms=False).values == {"wanted": 7}
    with pytest.raises(ScrapeError):
        parse_stats(whole[:-10], selection, histograms=False)
    early = body({"name": "wanted", "value": 7}, *FILLER)
    for wanted in (selection, Selection(patterns=(compile_pattern("wanted", "match"),))):
        with pytest.raises(ScrapeError):
            parse_stats(early[:-10], wanted, histograms=False)


PICKED = [
    Selection(frozenset(["wanted"])),
    Selection(frozenset(["not.there"])),
    Selection(patterns=(compile_pattern("want.*", "match"),)),
    Selection(patterns=(compile_pattern(".*", "match"),)),
]


@pytest.mark.parametrize("selection", PICKED)
@pytest.mark.parametrize(
    "odd",
    [
        b"<html>" + b"x" * 5000 + b"</html>",
        body({"name": "wanted", "value": 7}, *FILLER)[10:-2] + b",<html>wanted</html>",
        body(*FILLER)[10:-2] + b",",
        body(*FILLER)[10:-2] + b',{"name":"wanted","value":"7"x}',
        body(*FILLER)[10:-2] + b',{"name":"other","value":nonsense}',
    ],
)
def test_a_long_answer_with_something_else_in_it_is_unparsable_whatever_is_wanted(
    odd: bytes, selection: Selection
) -> None:
    with pytest.raises(ScrapeError) as caught:
        parse_stats(b'{"stats":[' + odd + b"]}", selection, histograms=False)
    assert caught.value.kind == "unparsable"


@pytest.mark.parametrize("value", [b"", b"007", b"7,", b"--7"])
@pytest.mark.parametrize("selection", PICKED[::2])
def test_a_value_that_is_none_is_unparsable_in_a_long_answer_too(selection: Selection, value: bytes) -> None:
    raw = body(*FILLER)[:-2] + b',{"name":"wanted","value":' + value + b"}]}"
    with pytest.raises(ScrapeError):
        parse_stats(raw, selection, histograms=False)


def test_a_number_with_a_fraction_is_read_in_a_long_answer_too() -> None:
    raw = body(*FILLER, {"name": "wanted", "value": 1.5}, {"name": "wanting", "value": 2})
    pattern = Selection(patterns=(compile_pattern("want.*", "match"),))
    assert parse_stats(raw, pattern, histograms=False).values == {"wanted": 1.5, "wanting": 2}


def test_the_last_of_two_with_one_name_counts_however_it_is_read() -> None:
    twice = body({"name": "wanted", "value": 7}, *FILLER, {"name": "wanted", "value": 8})
    for selection in (
        Selection(frozenset(["wanted"])),
        Selection(patterns=(compile_pattern("want.*", "match"),)),
    ):
        for histograms in (True, False):
            assert parse_stats(twice, selection, histograms).values == {"wanted": 8}


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
VALUES = st.one_of(st.integers(0, 2**64), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@given(st.dictionaries(NAMES, VALUES, max_size=20), st.booleans())
def test_picking_out_of_the_bytes_is_the_same_as_reading_all(
    stats: dict[str, int | str], ascii_only: bool
) -> None:
    entries = [*FILLER, *({"name": name, "value": value} for name, value in stats.items())]
    raw = json.dumps({"stats": entries}, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    selection = Selection(frozenset(stats), (compile_pattern(r"filler\.1.", "match"),))
    picked = parse_stats(raw, selection, histograms=False)
    assert picked.values == parse_stats(raw, selection, histograms=True).values
    assert {name: picked.values[name] for name in stats} == stats


@pytest.mark.parametrize(
    "pattern",
    [
        r"cluster\..*\.upstream_rq_5xx",
        r"cluster\.a\..*",
        ".*",
        r"cluster\.[ab]\.u.*",
        r".*5xx",
        "|cluster.*",
        "text",
    ],
)
def test_a_pattern_finds_the_same_in_the_bytes(pattern: str) -> None:
    entries = [
        {"name": "cluster.a.upstream_rq_5xx", "value": 1},
        {"name": "cluster.b.upstream_rq_5xx", "value": 2},
        {"name": "text", "value": "no cluster.c.upstream_rq_5xx"},
        {"name": "cluster.a.upstream_rq_5xx.upstream_rq_5xx", "value": 3},
        *FILLER,
        {"histograms": [{"name": "cluster.d.upstream_rq_5xx", "buckets": []}]},
    ]
    selection = Selection(patterns=(compile_pattern(pattern, "match"),))
    for more in (
        [],
        [{"name": 'odd"\\ cluster.a.x', "value": 4}],
        [{"name": "cluster.b.upstream_rq_5xx", "value": 9}],
    ):
        raw = body(*entries, *more)
        assert (
            parse_stats(raw, selection, histograms=False).values
            == parse_stats(raw, selection, histograms=True).values
        )


@given(st.binary(max_size=300))
def test_bytes_are_read_or_refused_and_nothing_else(raw: bytes) -> None:
    for read in (parse_stats, parse_text):
        for candidate in (raw, b'{"stats":[' + raw + b"]}", b"# TYPE a histogram\na_bucket{le=" + raw):
            with contextlib.suppress(ScrapeError):
                read(candidate, ALL)


def test_all_ways_of_writing_histograms() -> None:
    cumulative = {
        "name": "h",
        "buckets": [
            {"upper_bound": 1, "interval": 0, "cumulative": 6},
            {"upper_bound": 5, "interval": 1, "cumulative": 6},
        ],
    }
    detailed = {
        "supported_percentiles": [50],
        "details": [
            {
                "name": "h",
                "totals": [
                    {"lower_bound": 0, "width": 0, "count": 2},
                    {"lower_bound": 1, "width": 0.1, "count": 4},
                ],
                "intervals": [],
                "percentiles": [{"cumulative": 1, "interval": None}],
            }
        ],
    }
    quantiles = {
        "supported_quantiles": [50],
        "computed_quantiles": [{"name": "h", "values": [{"cumulative": 1, "interval": None}]}],
    }
    for written in ([cumulative], detailed):
        histogram = parse_stats(body({"histograms": written}), ALL).histograms["h"]
        assert histogram.count == 6
        assert (histogram.at_most(1).value, histogram.at_most(1).error) == (6, 0)
        assert from_data(histogram.as_data()).at_most(1).value == 6
    assert parse_stats(body({"histograms": quantiles}), ALL).histograms == {}  # no counts in there


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


def test_prometheus_text() -> None:
    answer = parse_text(TEXT, ALL)
    assert answer.values['a_total{x="2"}'] == 4
    assert answer.values[series("a_total", {"y": 'q"uo\\te\n', "x": "1"})] == 3
    assert answer.values["g"] == -1.5
    assert answer.kinds["g"] == "gauge"
    assert answer.kinds['h_count{z="k"}'] == answer.kinds["s_count"] == "counter"
    assert answer.values['s{quantile="0.5"}'] == 2
    assert 's{quantile="0.9"}' not in answer.values
    histogram = answer.histograms['h{z="k"}']
    assert (histogram.count, histogram.total) == (3, 12.5)
    assert histogram.buckets[-1] == (1, math.inf, 2)


def test_prometheus_text_picks() -> None:
    answer = parse_text(TEXT, Selection(frozenset(["h", "untyped"])))
    assert set(answer.histograms) == {'h{z="k"}'}
    assert "untyped" in answer.values
    assert "g" not in answer.values


@pytest.mark.parametrize(
    "line", ["a{", 'a{b="c} 1', "a", "a b", "{} 1", "1a 2", 'a{b="c"', "a 1 2 3", "<html>"]
)
def test_prometheus_text_that_is_none(line: str) -> None:
    with pytest.raises(ScrapeError, match=r"format"):
        parse_text(line.encode(), ALL)


@given(
    st.from_regex(r"[a-z_:][a-z0-9_:]*", fullmatch=True),
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), NAMES, max_size=4),
)
def test_a_series_and_back(name: str, labels: dict[str, str]) -> None:
    assert parse_series(series(name, labels)) == (name, labels)
    assert parse_line(series(name, labels) + " 1") == (name, labels, 1.0)
