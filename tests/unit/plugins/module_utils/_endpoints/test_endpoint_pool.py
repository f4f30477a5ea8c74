# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading many endpoints at the same time: order, limits and deadlines."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from fake_streams import NO_STATS, FakeStream

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints import endpoint_pool
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.broadcast import (
    broadcast,
    failure_message,
    first_failure,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    EndpointPool,
    Limits,
    limits_from,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import EVERYTHING

ENDPOINTS = parse_endpoints([{"name": f"e{number}", "url": f"http://e{number}"} for number in range(6)])


def test_at_most_concurrency_endpoints_run_at_once() -> None:
    running, most, done = 0, 0, []

    async def action(client: AdminClient) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        done.append(client.endpoint.name)

    async def run() -> None:
        await EndpointPool(ENDPOINTS, Limits(concurrency=2)).for_each(
            action, [endpoint.name for endpoint in ENDPOINTS]
        )

    asyncio.run(run())
    assert most == 2
    assert sorted(done) == [endpoint.name for endpoint in ENDPOINTS]


def test_slow_endpoints_do_not_delay_the_others() -> None:
    ended = asyncio.Event()
    done: list[str] = []

    async def action(client: AdminClient) -> None:
        if client.endpoint.name in ("e0", "e1"):
            await ended.wait()
        done.append(client.endpoint.name)
        if len(done) == 4:
            ended.set()

    async def run() -> None:
        pool = EndpointPool(ENDPOINTS, Limits(concurrency=2))
        await asyncio.wait_for(pool.for_each(action, [endpoint.name for endpoint in ENDPOINTS]), 60)

    asyncio.run(run())
    assert set(done[:4]) == {"e2", "e3", "e4", "e5"}


@pytest.fixture
def fake_admins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each connection lead to an Envoy without stats, except that of e1, which fails."""

    async def connect(_connector: Connector, endpoint: Endpoint) -> Stream:
        if endpoint.name == "e1":
            raise ScrapeError("unreachable", "connection refused")
        return FakeStream(NO_STATS)

    monkeypatch.setattr(Connector, "open", connect)


@pytest.mark.usefixtures("fake_admins")
def test_snapshot_has_a_page_for_each_query() -> None:
    seen: list[str] = []

    pool = EndpointPool(ENDPOINTS)

    async def run() -> Any:
        queries = dict.fromkeys(("e3", "e1", "e0"), EVERYTHING)
        try:
            return await pool.snapshot(queries, time.monotonic() + 60, lambda page: seen.append(page.name))
        finally:
            pool.close()

    snapshot = asyncio.run(run())
    assert list(snapshot.pages) == ["e0", "e1", "e3"]
    assert sorted(seen) == ["e0", "e1", "e3"]
    assert [client.reads for client in pool.clients.values()] == [1, 1, 0, 1, 0, 0]
    assert snapshot.pages["e1"].failure.message == "http://e1: connection refused"


@pytest.mark.parametrize(("processes", "kept"), [(1, 6), (2, 0)])
def test_processes_begin_without_connections(
    monkeypatch: pytest.MonkeyPatch, processes: int, kept: int
) -> None:
    connections: list[int] = []

    async def read_in_processes(*_arguments: object) -> None:
        connections.append(sum(client._stream is not None for client in pool.clients.values()))

    monkeypatch.setattr(endpoint_pool, "process_count", lambda _endpoints, _concurrency: processes)
    monkeypatch.setattr(endpoint_pool, "read_in_processes", read_in_processes)
    pool = EndpointPool(ENDPOINTS)
    for client in pool.clients.values():
        client._stream = FakeStream(NO_STATS)
    asyncio.run(pool.snapshot({}, time.monotonic() + 60))
    pool.close()
    assert connections == [kept]


def test_endpoint_after_the_deadline_is_not_read() -> None:
    async def run() -> Any:
        return await pool.snapshot({"e0": EVERYTHING}, time.monotonic() - 1)

    pool = EndpointPool(ENDPOINTS[:1])
    failure = asyncio.run(run()).pages["e0"].failure
    assert pool.clients["e0"].reads == 0
    assert failure.kind == "timeout"
    assert failure.message == "http://e0: no request was sent before the timeout; set a longer timeout"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"concurrency": 0}, "concurrency: expected 1 or more, got 0"),
        ({"max_bytes": 0}, "max_bytes: expected 1 or more, got 0"),
        ({"request_timeout": 0}, "request_timeout: expected"),
    ],
)
def test_wrong_limits_are_refused(change: dict[str, Any], message: str) -> None:
    params = {"concurrency": 1, "request_timeout": 1.0, "max_bytes": 1}
    assert limits_from(params) == Limits(1, 1.0, 1)
    with pytest.raises(ArgumentError, match=message):
        limits_from({**params, **change})


@pytest.mark.usefixtures("fake_admins")
def test_broadcast_replies_in_order() -> None:
    async def send(client: AdminClient, value: list[int]) -> None:
        value.append((await client.request("/x")).status)

    replies = broadcast(ENDPOINTS[:3], send, list[int])
    assert [(reply.name, reply.value) for reply in replies] == [("e0", [200]), ("e1", []), ("e2", [200])]
    assert [reply.as_data()["ok"] for reply in replies] == [True, False, True]
    assert first_failure(replies) == "unreachable"
    assert failure_message(replies) == "e1: http://e1: connection refused"


def test_broadcast_refuses_other_formats() -> None:
    endpoints = parse_endpoints([{"name": "x", "url": "http://x", "format": "prometheus"}])
    with pytest.raises(ArgumentError, match="endpoint x: expected format envoy, got prometheus"):
        broadcast(endpoints, lambda _client, _value: asyncio.sleep(0), list)
