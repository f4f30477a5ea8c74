# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that work on snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.filter.delta import delta
from ansible_collections.meshlab.envoy.plugins.filter.quantile import quantile
from ansible_collections.meshlab.envoy.plugins.filter.to_prometheus import to_prometheus
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import parse_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity, Samples
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import Page, Selection, Snapshot

FAST, SLOW = (1.0, 2.0, 90), (100.0, 200.0, 10)


def snapshot(started: float = 0, *buckets: tuple[float, float, float], **values: Any) -> dict[str, Any]:
    samples = Samples(Selection(everything=True), values, {"h.time": Histogram(buckets)} if buckets else {})
    page = Page("edge", "envoy", 100.0, {"stats": samples}, Identity("1", "LIVE", 1.0, started, 0))
    data: dict[str, Any] = json.loads(json.dumps(Snapshot(100.0, {"edge": page}).as_data()))
    return data


def test_delta() -> None:
    before, after = snapshot(0, a=1, text="x", gone=1), snapshot(0, a=4, text="y", new=2)
    assert delta(after, before) == {"edge": {"a": 3, "new": 2}}
    before["endpoints"]["edge"]["sources"]["stats"]["selection"] = {"names": ["a"], "patterns": []}
    assert delta(after, before) == {"edge": {"a": 3}}


def test_delta_across_a_restart() -> None:
    with pytest.raises(AnsibleFilterError, match="restarted since"):
        delta(snapshot(50, a=4), snapshot(0, a=1))


def test_delta_of_a_counter_that_was_reset() -> None:
    before, after = snapshot(0, a=5, b=2), snapshot(0, a=1, b=9)
    assert delta(after, before) == {"edge": {"a": -4, "b": 7}}  # it may be a gauge
    for told in (before, after):
        told["endpoints"]["edge"]["sources"]["stats"]["kinds"] = {"a": "counter"}
        with pytest.raises(
            AnsibleFilterError, match="a at edge went back from 5 to 1: its counters were reset"
        ):
            delta(after, before)
        del told["endpoints"]["edge"]["sources"]["stats"]["kinds"]
    after["endpoints"]["edge"]["sources"]["stats"]["kinds"] = {"a": "gauge"}
    assert delta(after, before)["edge"]["a"] == -4


def test_delta_of_something_else() -> None:
    for other in ({}, None, "x", {"version": 1, "time": 1, "endpoints": {}}):
        with pytest.raises(AnsibleFilterError, match="earlier snapshot"):
            delta(snapshot(0, a=1), other)


def test_quantile() -> None:
    whole = snapshot(0, FAST, SLOW)
    assert quantile(whole, 0.45, "h.time") == pytest.approx(1.5)
    assert quantile(whole, 0.5, "h.time", "edge", since=snapshot(0, FAST)) == pytest.approx(150)
    assert quantile(whole, 0.5, "h.time", since=whole) is None
    for arguments, words in (
        ((2, "h.time"), "from 0 to 1"),
        ((0.5, "h"), "no histogram h"),
        ((0.5, "h.time", "edg"), "no endpoint edg"),
    ):
        with pytest.raises(AnsibleFilterError, match=words):
            quantile(whole, *arguments)


def test_a_snapshot_without_histograms_is_no_empty_one() -> None:
    now, before = snapshot(0, FAST, SLOW), snapshot(0, a=1)
    before["endpoints"]["edge"]["sources"]["stats"]["selection"]["histograms"] = False
    with pytest.raises(AnsibleFilterError, match="since was taken without histograms of edge"):
        quantile(now, 0.5, "h.time", since=before)
    with pytest.raises(AnsibleFilterError, match="the snapshot was taken without histograms of edge"):
        quantile(before, 0.5, "h.time")


def test_to_prometheus_and_back() -> None:
    page = to_prometheus(snapshot(0, FAST, SLOW, **{"cluster.a-b.rq": 5, "text": "x", "big": 2**70}))
    assert 'envoy_cluster_a_b_rq{endpoint="edge"} 5\n' in page
    again = parse_text(page.encode(), Selection(everything=True))
    histogram = again.histograms['envoy_h_time{endpoint="edge"}']
    assert histogram.count == 100
    assert histogram.at_most(2).value == 90
    assert again.values['envoy_h_time_count{endpoint="edge"}'] == 100


def test_to_prometheus_writes_all_digits() -> None:
    many = Histogram(((0.0, 1.5, 1_234_567), (1.5, 1_000_001.0, 7_654_321)), 123_456_789.5)
    samples = Samples(Selection(everything=True), {"big": 2**70, "part": 1234567.25}, {"time": many})
    page = Page("edge", "envoy", 100.0, {"stats": samples})
    text = to_prometheus(Snapshot(100.0, {"edge": page}).as_data())
    assert text.splitlines() == [
        "# TYPE envoy_big untyped",
        f'envoy_big{{endpoint="edge"}} {2**70}',
        "# TYPE envoy_part untyped",
        'envoy_part{endpoint="edge"} 1234567.25',
        "# TYPE envoy_time histogram",
        'envoy_time_bucket{endpoint="edge",le="1.5"} 1234567',
        'envoy_time_bucket{endpoint="edge",le="1000001"} 8888888',
        'envoy_time_bucket{endpoint="edge",le="+Inf"} 8888888',
        'envoy_time_sum{endpoint="edge"} 123456789.5',
        'envoy_time_count{endpoint="edge"} 8888888',
    ]


PAGE = """# TYPE asked histogram
asked_bucket{path="/",le="0.5"} 3
asked_bucket{path="/",le="+Inf"} 4
asked_sum{path="/"} 2.5
asked_count{path="/"} 4
# TYPE other_count counter
other_count 7
"""


def test_to_prometheus_writes_every_series_of_a_page_once() -> None:
    page = Page(
        "app", "prometheus", 100.0, {"prometheus": parse_text(PAGE.encode(), Selection(everything=True))}
    )
    text = to_prometheus(Snapshot(100.0, {"app": page}).as_data())
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)) == 5
    assert 'asked_count{endpoint="app",path="/"} 4' in text.splitlines()
    assert 'other_count{endpoint="app"} 7' in text.splitlines()


def test_to_prometheus_tells_apart_what_becomes_one_name() -> None:
    page = Page("edge", "envoy", 100.0, {"stats": Samples(Selection(everything=True), {"a-b": 1, "a_b": 2})})
    asked = Samples(Selection(everything=True), {'asked{endpoint="/x"}': 3, 'asked{endpoint="/y"}': 4})
    app = Page("app", "prometheus", 100.0, {"prometheus": asked})
    assert to_prometheus(Snapshot(100.0, {"edge": page, "app": app}).as_data()).splitlines() == [
        "# TYPE asked untyped",
        'asked{endpoint="app",exported_endpoint="/x"} 3',
        'asked{endpoint="app",exported_endpoint="/y"} 4',
        "# TYPE envoy_a_b untyped",
        'envoy_a_b{endpoint="edge"} 1',
        'envoy_a_b{endpoint="edge",stat="a_b"} 2',
    ]


def test_quantile_beside_names_with_braces() -> None:
    data = snapshot(0, FAST)
    histograms = data["endpoints"]["edge"]["sources"]["stats"]["histograms"]
    histograms["cluster.{odd.time"] = histograms["h.time"]
    assert quantile(data, 0.5, "h.time") == pytest.approx(1.5)
    assert quantile(data, 0.5, "cluster.{odd.time") == pytest.approx(1.5)
