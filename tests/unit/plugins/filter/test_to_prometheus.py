# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter to_prometheus."""

from __future__ import annotations

from snapshots import FAST, SLOW, snapshot

from ansible_collections.meshlab.envoy.plugins.filter.to_prometheus import to_prometheus
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import parse_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import Page, Selection, Snapshot


def test_page_is_parsed_back() -> None:
    page = to_prometheus(snapshot(0, FAST, SLOW, **{"cluster.a-b.rq": 5, "text": "x", "big": 2**70}))
    assert 'envoy_cluster_a_b_rq{endpoint="edge"} 5\n' in page
    parsed = parse_text(page.encode(), Selection(everything=True))
    histogram = parsed.histograms['envoy_h_time{endpoint="edge"}']
    assert histogram.count == 100
    assert histogram.at_most(2).value == 90
    assert parsed.values['envoy_h_time_count{endpoint="edge"}'] == 100


def test_numbers_have_all_digits() -> None:
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


PAGE = """# TYPE requests histogram
requests_bucket{path="/",le="0.5"} 3
requests_bucket{path="/",le="+Inf"} 4
requests_sum{path="/"} 2.5
requests_count{path="/"} 4
# TYPE other_count counter
other_count 7
"""


def test_each_series_occurs_once() -> None:
    page = Page(
        "app", "prometheus", 100.0, {"prometheus": parse_text(PAGE.encode(), Selection(everything=True))}
    )
    text = to_prometheus(Snapshot(100.0, {"app": page}).as_data())
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)) == 5
    assert 'requests_count{endpoint="app",path="/"} 4' in text.splitlines()
    assert 'other_count{endpoint="app"} 7' in text.splitlines()


def test_labels_distinguish_equal_names() -> None:
    page = Page("edge", "envoy", 100.0, {"stats": Samples(Selection(everything=True), {"a-b": 1, "a_b": 2})})
    requests = Samples(
        Selection(everything=True), {'requests{endpoint="/x"}': 3, 'requests{endpoint="/y"}': 4}
    )
    app = Page("app", "prometheus", 100.0, {"prometheus": requests})
    assert to_prometheus(Snapshot(100.0, {"edge": page, "app": app}).as_data()).splitlines() == [
        "# TYPE envoy_a_b untyped",
        'envoy_a_b{endpoint="edge"} 1',
        'envoy_a_b{endpoint="edge",stat="a_b"} 2',
        "# TYPE requests untyped",
        'requests{endpoint="app",exported_endpoint="/x"} 3',
        'requests{endpoint="app",exported_endpoint="/y"} 4',
    ]
