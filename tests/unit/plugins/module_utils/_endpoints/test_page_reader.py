# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of one snapshot of one endpoint."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fake_streams import NO_STATS, FakeConnector, FakeStream

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.page_reader import (
    read_counter_names,
    read_page,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    EVERYTHING,
    parse_assertions,
    parse_endpoints,
    required_queries,
)

(EDGE,) = parse_endpoints([{"name": "edge", "url": "http://edge"}])
MERGE = "/stats?filter=%5E%24"


@pytest.mark.parametrize(
    ("assertion", "first"),
    [
        ({"stat": "a", "op": "eq", "value": 1}, "/stats?format=json&filter=%5E%28%3F%3Aa%29%24"),
        ({"stat": "a", "labels": {"b": "c"}, "op": "eq", "value": 1}, "/stats?format=prometheus"),
        ({"stat": "a", "bucket": 5, "op": "eq", "value": 1}, MERGE),
        ({"stat": "a", "quantile": 0.5, "labels": {"b": "c"}, "op": "eq", "value": 1}, MERGE),
    ],
)
def test_only_histograms_take_a_request_to_merge(assertion: dict[str, Any], first: str) -> None:
    query = required_queries(parse_assertions([assertion]), [EDGE], identity=False)["edge"]
    stream = FakeStream(NO_STATS)
    page = asyncio.run(read_page(AdminClient(EDGE, FakeConnector(stream)), query, 5))
    stream.close()
    assert stream.paths[0] == first
    assert len(stream.paths) == 1 + (first == MERGE)
    assert page.bytes == 12 * len(stream.paths)


def test_pause_to_merge_is_part_of_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", record)
    stream = FakeStream(NO_STATS)
    page = asyncio.run(read_page(AdminClient(EDGE, FakeConnector(stream)), EVERYTHING, 0.001))
    stream.close()
    assert page.failure is None or page.failure.kind == "timeout"
    assert all(seconds < 0.001 for seconds in pauses)


def test_failed_page_has_no_sources() -> None:
    stream = FakeStream(NO_STATS, NO_STATS, b"")
    client = AdminClient(EDGE, FakeConnector(stream, FakeStream(b"")))
    page = asyncio.run(read_page(client, EVERYTHING, 5))
    stream.close()
    assert page.failure is not None
    assert (page.failure.kind, page.sources) == ("unreachable", {})


def test_counter_names_are_those_in_the_response() -> None:
    body = b'{"stats":[{"name":"a","value":1}]}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    stream = FakeStream(answer)
    client = AdminClient(EDGE, FakeConnector(stream))
    assert asyncio.run(read_counter_names(client, ["a", "b"], 5)) == {"a"}
    assert stream.paths == ["/stats?format=json&type=Counters&filter=%5E%28%3F%3Aa%7Cb%29%24"]
    client.close()


def test_counter_names_are_none_after_an_error() -> None:
    stream = FakeStream(b"")
    client = AdminClient(EDGE, FakeConnector(stream))
    assert asyncio.run(read_counter_names(client, ["a"], 5)) is None


def response(data: Any) -> bytes:
    body = json.dumps(data).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


STANDBY = {
    "address": {"socket_address": {"address": "10.96.0.5", "port_value": 80}},
    "health_status": {"eds_health_status": "DEGRADED"},
    "priority": 1,
}
CLUSTERS = {"cluster_statuses": [{"name": "web", "host_statuses": [STANDBY]}]}


@pytest.mark.parametrize(
    ("stat", "reading", "requests"), [("membership_total", 3, 2), ("upstream_rq_total", 4, 1)]
)
def test_standby_host_takes_a_request_and_does_not_count(stat: str, reading: int, requests: int) -> None:
    name = f"cluster.web.{stat}"
    (edge,) = parse_endpoints([{"name": "edge", "url": "http://edge", "standby": ["web"]}])
    [assertion] = parse_assertions([{"stat": name, "op": "eq", "value": 1}])
    query = required_queries([assertion], [edge], identity=False)["edge"]
    stream = FakeStream(response({"stats": [{"name": name, "value": 4}]}), response(CLUSTERS))
    page = asyncio.run(read_page(AdminClient(edge, FakeConnector(stream)), query, 5))
    stream.close()
    assert page.sources["stats"].values == {name: reading}
    assert len(stream.paths) == requests


def test_source_clusters_has_no_standby_host() -> None:
    (edge,) = parse_endpoints([{"name": "edge", "url": "http://edge", "standby": ["web"]}])
    stream = FakeStream(response(CLUSTERS))
    [assertion] = parse_assertions([{"source": "clusters", "stat": "web.hosts", "op": "eq", "value": 0}])
    query = required_queries([assertion], [edge], identity=False)["edge"]
    page = asyncio.run(read_page(AdminClient(edge, FakeConnector(stream)), query, 5))
    stream.close()
    assert page.sources["clusters"].values == {"web.hosts": 0}
