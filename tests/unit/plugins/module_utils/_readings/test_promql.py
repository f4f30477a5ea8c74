# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PromQL queries: the responses of Prometheus' API, and the endpoints that are queried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.promql import parse_response, source_for
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Page,
    Snapshot,
    evaluate_hosts,
    parse_assertions,
    parse_endpoints,
    read_hosts,
    required_queries,
    scrape,
)

ENVOY = {"name": "edge", "url": "http://127.0.0.1:9901"}
SERVER = {"name": "prometheus", "url": "http://127.0.0.1:9090/prefix", "format": "promql"}


def response(kind: str, result: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def sample(value: str, **metric: str) -> dict[str, Any]:
    return {"metric": metric, "value": [1795329820.1, value]}


def judge(body: bytes, **assertion: Any) -> Verdict:
    parsed = parse_assertions([{"promql": "q", **assertion}])[0]
    page = Page("prometheus", "promql", 1.0, {source_for("q"): parse_response(body, "q")})
    return evaluate(parsed, parse_endpoints([ENVOY, SERVER]), Snapshot(1.0, {"prometheus": page}))


TWO = response("vector", [sample("3", __name__="up", job="a"), sample("4.5", job='b"')])


@pytest.mark.parametrize(
    ("body", "assertion", "ok", "observed"),
    [
        (response("scalar", [1.5, "7"]), {"op": "eq", "value": 7}, True, 7),
        (TWO, {"op": "ge", "value": 3}, True, 3),
        (TWO, {"op": "ge", "value": 4}, False, 3),
        (TWO, {"across": "sum", "op": "eq", "value": 7.5}, True, 7.5),
        (TWO, {"op": "present"}, True, 2),
        (TWO, {"op": "absent"}, False, 2),
        (response("vector", []), {"op": "absent"}, True, 0),
        (response("vector", []), {"op": "eq", "value": 0, "default": 0}, True, 0),
        (response("vector", []), {"across": "count", "op": "eq", "value": 0}, True, 0),
        (response("vector", []), {"across": "sum", "op": "eq", "value": 0}, False, None),
        (response("vector", []), {"across": "sum", "op": "eq", "value": 0, "default": 0}, True, 0),
        (response("vector", [sample("NaN"), sample("+Inf", a="b")]), {"op": "absent"}, True, 0),
    ],
)
def test_query_compares_the_series(body: bytes, assertion: dict[str, Any], ok: bool, observed: float) -> None:
    verdict = judge(body, **assertion)
    assert (verdict.ok, verdict.observed) == (ok, observed)


def test_message_names_the_series() -> None:
    verdict = judge(TWO, op="ge", value=4)
    assert verdict.failed[0].stat == 'up{job="a"}'
    assert (
        verdict.message(1)
        == 'expected at least 4, got 3 (promql q, series up{job="a"} at prometheus) after 1.0 s'
    )
    assert "the query has no result" in judge(response("vector", []), op="ge", value=4).message(1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            b'{"status":"error","errorType":"bad_data","error":"parse error: unclosed"}',
            "parse error: unclosed",
        ),
        (response("matrix", []), "returns a matrix, not a vector or a scalar; remove the range"),
        (response("string", [1, "x"]), "returns a string"),
        (response("vector", [{"metric": {}, "histogram": []}]), "native histograms"),
        (response("vector", [{}]), "cannot be parsed"),
        (response("vector", 5), "cannot be parsed"),
        (response("vector", [{"metric": {}, "value": [1, int("9" * 400)]}]), "a number is too large"),
        (response("scalar", [1, int("9" * 400)]), "a number is too large"),
        (b'{"status":"success"}', "cannot be parsed"),
        (b"<html>", "is url the address of a Prometheus server"),
        (b"[" * 100_000, "is url the address of a Prometheus server"),
        (b'{"a":1}', "is url the address of a Prometheus server"),
    ],
)
def test_response_without_samples_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ScrapeError, match=message):
        parse_response(body, "q")


@pytest.mark.parametrize(
    ("endpoints", "assertion", "message"),
    [
        ([ENVOY], {"promql": "up"}, "promql needs a Prometheus server"),
        (
            [ENVOY, SERVER],
            {"promql": "up", "endpoint": "edge"},
            "edge has format envoy, so it is not a Prometheus server",
        ),
        ([ENVOY, SERVER], {"stat": "up", "endpoint": "prometheus"}, "Use promql instead of stat or match"),
        ([SERVER], {"stat": "up"}, "all endpoints are Prometheus servers"),
        ([SERVER], {"promql": "up", "stat": "up"}, "stat, match and promql exclude each other"),
        ([SERVER], {"promql": "up", "of": "delta"}, "Write it in the query itself"),
        ([SERVER], {"promql": "up", "labels": {"a": "b"}}, "Write it in the query itself"),
        ([SERVER], {"promql": "up", "source": "clusters"}, "source: it cannot be combined with promql"),
    ],
)
def test_promql_in_the_wrong_place_is_refused(
    endpoints: list[Any], assertion: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        required_queries(
            parse_assertions([{"op": "eq", "value": 1, **assertion}]), parse_endpoints(endpoints)
        )


def test_query_goes_to_prometheus_servers_only() -> None:
    parsed = parse_assertions([{"promql": "up", "op": "eq", "value": 1}, {"stat": "a", "op": "present"}])
    queries = required_queries(parsed, parse_endpoints([ENVOY, SERVER]))
    assert {name: list(query.sources) for name, query in queries.items()} == {
        "prometheus": ["promql up"],
        "edge": ["stats"],
    }
    with pytest.raises(ArgumentError, match="has no page to read"):
        scrape(parse_endpoints([SERVER]))


@pytest.mark.parametrize("where", [{}, {"endpoint": "*"}, {"endpoint": ["web1/*", "web2/*"]}])
def test_each_host_counts(where: dict[str, Any]) -> None:
    server = Page("prometheus", "promql", 1.0, {source_for("q"): parse_response(TWO, "q")})
    hosts = read_hosts({"web1": Snapshot(1.0, {"prometheus": server}).as_data(), "web2": {"failed": True}})
    (verdict,) = evaluate_hosts(
        parse_assertions([{"promql": "q", "op": "ge", "value": 0, **where}]), hosts
    ).verdicts
    assert verdict.failure is not None
    assert (verdict.failure.kind, verdict.failed[0].endpoint) == ("unreachable", "web2")
