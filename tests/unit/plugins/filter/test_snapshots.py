# Copyright (c) 2026 meshlab.envoy contributors
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
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.api import Page, Selection, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.prometheus import parse_text
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.snapshot import Identity, Samples

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


def test_to_prometheus_and_back() -> None:
    page = to_prometheus(snapshot(0, FAST, SLOW, **{"cluster.a-b.rq": 5, "text": "x", "big": 2**70}))
    assert 'envoy_cluster_a_b_rq{endpoint="edge"} 5\n' in page
    again = parse_text(page.encode(), Selection(everything=True))
    histogram = again.histograms['envoy_h_time{endpoint="edge"}']
    assert histogram.count == 100
    assert histogram.at_most(2).value == 90
    assert again.values['envoy_h_time_count{endpoint="edge"}'] == 100
