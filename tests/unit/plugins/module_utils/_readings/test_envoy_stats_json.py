# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's JSON stats: values, histograms, and responses that are not Envoy's."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import from_data
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection

ALL = Selection(everything=True)
FILLER = [{"name": f"filler.{number}", "value": number} for number in range(200)]


def body(*stats: dict[str, Any]) -> bytes:
    return json.dumps({"stats": list(stats)}, separators=(",", ":")).encode()


def test_numbers_and_texts_are_read() -> None:
    result = parse_stats(
        body({"name": "a", "value": 1}, {"name": "b", "value": "text"}, {"name": "c", "value": None}), ALL
    )
    assert result.values == {"a": 1, "b": "text"}


def test_numbers_that_are_not_finite_are_left_out() -> None:
    raw = b'{"stats":[{"name":"a","value":NaN},{"name":"b","value":Infinity},{"name":"c","value":184467440737095516159},'
    raw += b'{"name":"d","value":1},{"name":"d","value":2},{"name":"e","value":' + b"9" * 5000 + b"}]}"
    result = parse_stats(raw, ALL)
    assert result.values["c"] == 184467440737095516159
    assert result.values["d"] == 2  # of two equal names the last one counts
    assert {"a", "b", "e"}.isdisjoint(result.values)


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
def test_response_that_is_not_envoys_is_unparsable(raw: bytes) -> None:
    with pytest.raises(ScrapeError) as caught:
        parse_stats(raw, ALL)
    assert caught.value.kind == "unparsable"
    assert len(caught.value.message) < 300


def test_long_response_that_is_cut_off_is_unparsable() -> None:
    whole = body(*FILLER, {"name": "selected", "value": 7})
    assert len(whole) > 4096
    selection = Selection(frozenset(["selected"]))
    assert parse_stats(whole, selection, histograms=False).values == {"selected": 7}
    with pytest.raises(ScrapeError):
        parse_stats(whole[:-10], selection, histograms=False)
    early = body({"name": "selected", "value": 7}, *FILLER)
    for each in (selection, Selection(patterns=(compile_pattern("selected", "match"),))):
        with pytest.raises(ScrapeError):
            parse_stats(early[:-10], each, histograms=False)


SELECTIONS = [
    Selection(frozenset(["selected"])),
    Selection(frozenset(["not.there"])),
    Selection(patterns=(compile_pattern("select.*", "match"),)),
    Selection(patterns=(compile_pattern(".*", "match"),)),
]


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize(
    "content",
    [
        b"<html>" + b"x" * 5000 + b"</html>",
        body({"name": "selected", "value": 7}, *FILLER)[10:-2] + b",<html>selected</html>",
        body(*FILLER)[10:-2] + b",",
        body(*FILLER)[10:-2] + b',{"name":"selected","value":"7"x}',
        body(*FILLER)[10:-2] + b',{"name":"other","value":nonsense}',
    ],
)
def test_long_response_with_other_text_is_unparsable(content: bytes, selection: Selection) -> None:
    with pytest.raises(ScrapeError) as caught:
        parse_stats(b'{"stats":[' + content + b"]}", selection, histograms=False)
    assert caught.value.kind == "unparsable"


@pytest.mark.parametrize("value", [b"", b"007", b"7,", b"--7"])
@pytest.mark.parametrize("selection", SELECTIONS[::2])
def test_wrong_value_in_a_long_response_is_unparsable(selection: Selection, value: bytes) -> None:
    raw = body(*FILLER)[:-2] + b',{"name":"selected","value":' + value + b"}]}"
    with pytest.raises(ScrapeError):
        parse_stats(raw, selection, histograms=False)


@pytest.mark.parametrize("selection", SELECTIONS[::2])
@pytest.mark.parametrize("fault", [b'"value":,', b'"value":7,"x":', b'"value":7}x,', b'"value":"7'])
def test_fault_after_an_equal_response_is_unparsable(selection: Selection, fault: bytes) -> None:
    raw = body({"name": "selected", "value": 7}, *FILLER)
    for value in (b"7", b"8", b"19"):
        changed = raw.replace(b'"selected","value":7', b'"selected","value":' + value)
        assert parse_stats(changed, selection, histograms=False).values["selected"] == int(value)
    with pytest.raises(ScrapeError):
        parse_stats(raw.replace(b'"value":7', fault), selection, histograms=False)


def test_fraction_in_a_long_response_is_read() -> None:
    raw = body(*FILLER, {"name": "selected", "value": 1.5}, {"name": "selecting", "value": 2})
    pattern = Selection(patterns=(compile_pattern("select.*", "match"),))
    assert parse_stats(raw, pattern, histograms=False).values == {"selected": 1.5, "selecting": 2}


def test_last_of_two_equal_names_counts() -> None:
    twice = body({"name": "selected", "value": 7}, *FILLER, {"name": "selected", "value": 8})
    for selection in (
        Selection(frozenset(["selected"])),
        Selection(patterns=(compile_pattern("select.*", "match"),)),
    ):
        for histograms in (True, False):
            assert parse_stats(twice, selection, histograms).values == {"selected": 8}


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
VALUES = st.one_of(st.integers(0, 2**64), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@given(st.dictionaries(NAMES, VALUES, max_size=20), st.booleans())
def test_searching_finds_what_decoding_finds(stats: dict[str, int | str], ascii_only: bool) -> None:
    entries = [*FILLER, *({"name": name, "value": value} for name, value in stats.items())]
    raw = json.dumps({"stats": entries}, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    selection = Selection(frozenset(stats), (compile_pattern(r"filler\.1.", "match"),))
    searched = parse_stats(raw, selection, histograms=False)
    assert searched.values == parse_stats(raw, selection, histograms=True).values
    assert {name: searched.values[name] for name in stats} == stats


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
def test_searching_for_a_pattern_finds_what_decoding_finds(pattern: str) -> None:
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
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for body in (raw, b'{"stats":[' + raw + b"]}"):
        with contextlib.suppress(ScrapeError):
            parse_stats(body, ALL)


def test_each_histogram_format_is_read() -> None:
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
    for histograms in ([cumulative], detailed):
        histogram = parse_stats(body({"histograms": histograms}), ALL).histograms["h"]
        assert histogram.count == 6
        assert (histogram.at_most(1).value, histogram.at_most(1).error) == (6, 0)
        assert from_data(histogram.as_data()).at_most(1).value == 6
    assert parse_stats(body({"histograms": quantiles}), ALL).histograms == {}  # they contain no counts
