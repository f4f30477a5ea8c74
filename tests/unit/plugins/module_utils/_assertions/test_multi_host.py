# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assertions across managed hosts, by the snapshots that each of them took."""

from __future__ import annotations

from typing import Any

import pytest
from fake_snapshots import ALL, fake_page, fake_snapshot

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.multi_host import (
    evaluate_hosts,
    read_hosts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Selection,
)

REQUESTS = {
    'rq_xx{cluster="a",code="2"}': 90,
    'rq_xx{cluster="a",code="5"}': 10,
    'rq_xx{cluster="b",code="5"}': 50,
    'rq_done{cluster="a"}': 100,
    'rq_done{cluster="b"}': 50,
    'other_xx{code="5"}': 1,
}


@pytest.mark.parametrize(
    ("asked", "looked"),
    [
        ({"match": "rq_.*", "over_match": "rq_done"}, True),
        ({"match": "rq_.*", "over": "rq_done"}, True),
        ({"match": "rq_.*", "over_match": "other.*"}, False),
        ({"labels": {"cluster": "a"}}, False),
    ],
)
def test_hosts_need_a_snapshot_of_all_patterns(asked: dict[str, Any], looked: bool) -> None:
    patterns = tuple(compile_pattern(one, "match") for one in ("rq_.*", "rq_done"))
    samples = Samples(Selection(patterns=patterns), dict(REQUESTS))
    one = Page("app", "prometheus", 100.0, {"prometheus": samples})
    hosts = read_hosts({"web": fake_snapshot(one).as_data()})
    assertions = parse_assertions([{**asked, "across": "sum", "op": "gt", "value": 0}])
    if looked:
        assert evaluate_hosts(assertions, hosts).ok
        return
    with pytest.raises(ArgumentError, match="the snapshot does not include"):
        evaluate_hosts(assertions, hosts)


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        ("web1/*", ["unreachable"]),
        ("web1/edge", ["unreachable"]),
        ("web1", ["unreachable"]),
        ("w*1/*", ["unreachable"]),
        ("*/edge", ["unreachable"]),
        ("*edge", ["unreachable"]),
        ("web*", ["unreachable"]),
        ("web2/*", [""]),
        ("web2/edge", [""]),
        ("web?0/*", None),
        ("web10/edge", None),
    ],
)
@pytest.mark.parametrize("of", ["value", "delta"])
def test_host_without_snapshot_is_unreachable(pattern: str, kinds: list[str] | None, of: str) -> None:
    edge = fake_snapshot(fake_page("edge", x=3)).as_data()
    now, since = (
        read_hosts({"web1": {"failed": True}, "web2": edge}),
        read_hosts({"web1": edge, "web2": edge}),
    )
    asked = parse_assertions([{"endpoint": pattern, "stat": "x", "of": of, "op": "ge", "value": 0}])
    if kinds is None:
        with pytest.raises(ArgumentError, match="no endpoint has the name"):
            evaluate_hosts(asked, now, since)
        return
    outcome = evaluate_hosts(asked, now, since)
    assert [one.as_data(0)["failure"] for one in outcome.verdicts] == kinds
    if kinds != [""]:
        assert "x at web1) after " in outcome.message
        assert "its task failed" in outcome.message


@pytest.mark.parametrize(
    ("entry", "accepted"),
    [
        ({"stat": "h", "op": "absent"}, False),
        ({"stat": "h", "op": "present"}, False),
        ({"match": "h.*", "op": "absent"}, False),
        ({"stat": "h", "bucket": "inf", "op": "ge", "value": 0}, False),
        ({"match": "x", "bucket": "inf", "across": "sum", "op": "eq", "value": 0}, False),
        ({"stat": "x", "op": "present"}, True),
        ({"match": "x.*", "op": "present"}, True),
        ({"stat": "h", "default": 0, "op": "eq", "value": 0}, True),
    ],
)
def test_hosts_need_a_snapshot_with_histograms(entry: dict[str, Any], accepted: bool) -> None:
    one = fake_page("edge")
    one.sources["stats"] = parse_stats(b'{"stats":[{"name":"x","value":1}]}', ALL, histograms=False)
    hosts = read_hosts({"web": fake_snapshot(one).as_data()})
    if accepted:
        assert evaluate_hosts(parse_assertions([entry]), hosts).ok
        return
    with pytest.raises(ArgumentError, match=r"does not include .* with histograms"):
        evaluate_hosts(parse_assertions([entry]), hosts)
