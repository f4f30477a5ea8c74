# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hints about a stat that does not exist."""

from __future__ import annotations

import asyncio

import pytest
from fake_snapshots import ALL, fake_endpoints, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.missing_stat_hints import (
    add_hint,
    add_hints,
    hint,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import EndpointPool
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Samples,
)

REQUESTS = {
    'rq_xx{cluster="a",code="2"}': 90,
    'rq_xx{cluster="a",code="5"}': 10,
    'rq_xx{cluster="b",code="5"}': 50,
    'rq_done{cluster="a"}': 100,
    'rq_done{cluster="b"}': 50,
    'other_xx{code="5"}': 1,
}


def test_hint_names_other_labels() -> None:
    one = fake_page("e")
    one.sources["prometheus"] = Samples(ALL, dict(REQUESTS))
    asked = {"stat": "rq_done", "labels": {"cluster": "c"}, "op": "eq", "value": 1}
    verdict = verdict_of(asked, fake_snapshot(one))
    add_hint(verdict, one, "prometheus")
    assert verdict.hint == 'It has other labels: rq_done{cluster="a"} and 1 more.'
    # Of these labels it is there, and no histogram.
    verdict = verdict_of({**asked, "labels": {"cluster": "a"}, "bucket": 5}, fake_snapshot(one))
    add_hint(verdict, one, "prometheus")
    assert verdict.hint == "It is a counter or a gauge. Remove quantile and bucket."
    # The hint must not contradict the failure.
    assert verdict.failure is not None
    assert verdict.failure.message == "no histogram has this name"


def test_deleted_pod_gets_no_hint() -> None:
    seen = fake_snapshot(fake_page("gone", y=1))
    verdict = verdict_of({"stat": "x", "op": "eq", "value": 1}, seen)
    assert verdict.failure is not None
    assert verdict.failure.kind == "absent"
    asyncio.run(add_hints(EndpointPool(fake_endpoints("other")), [verdict], seen, 0))
    assert verdict.hint == ""


@pytest.mark.parametrize(
    ("stat", "text"),
    [
        ("cluster.web.upstream_rq_totl", "The nearest names are cluster.web.upstream_rq_total"),
        ("cluster.wob.upstream_rq_total", "The nearest names are cluster.web.upstream_rq_total"),
        (
            "cluster.web.upstream_rq_5xx",
            (
                "cluster.web.time. Envoy creates it at the first such response;"
                " default: 0 counts it as 0 until then."
            ),
        ),
        ("http.ingress.rq", "No name begins with http. Check the name and the stats matcher."),
        ("cluster.other-name-altogether.cx", "No name begins with cluster.other-name-altogether."),
        ("cluster.web.grpc.shop.Shop.Get.failure", "No name begins with cluster.web.grpc."),
        ("cluster.web.time", "It is a histogram. Set quantile or bucket."),
    ],
)
def test_hint_names_the_nearest_stats(stat: str, text: str) -> None:
    assert text in hint(
        stat, ["cluster.web.upstream_rq_total", "cluster.web.upstream_cx_total"], ["cluster.web.time"]
    )
    assert "The endpoint has no stats." in hint(stat, [])
    # A misspelt status is no status.
    assert hint("cluster.web.upstream_rq_20", ["cluster.web.upstream_rq_200"]) == (
        "The nearest names are cluster.web.upstream_rq_200."
    )
    # A matcher hides stats, and nothing else.
    assert "matcher" not in hint(stat, ["cluster.web.upstream_rq_total"], source="clusters")
