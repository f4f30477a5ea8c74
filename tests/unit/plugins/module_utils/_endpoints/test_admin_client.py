# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one endpoint is asked, and what its failure must not do to the loop in which all are asked."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import Client
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    EVERYTHING,
    parse_assertions,
    parse_endpoints,
    required_queries,
)

(CONTAINER,) = parse_endpoints([{"name": "web", "container": "web"}])


class Ended(Stream):
    """A command that ended, and says why when somebody else has had a turn."""

    def __init__(self, others: threading.Event) -> None:
        self._others = others

    async def send(self, data: bytes) -> None:
        raise EOFError

    def explain(self) -> str:
        return "No such container" if self._others.wait(5) else "nobody else had a turn"

    def close(self) -> None:
        pass


class Only(Connector):
    """Gives one stream."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def open(self, endpoint: Endpoint) -> Stream:
        return self._stream


def test_a_commands_last_words_are_waited_for_beside_the_loop() -> None:
    async def run() -> Page:
        others = threading.Event()
        asyncio.get_running_loop().call_later(0.05, others.set)
        return await Client(CONTAINER, Only(Ended(others))).page(EVERYTHING, 5)

    failure = asyncio.run(run()).failure
    assert failure is not None
    assert failure.message.endswith("there is no container named web")


class Telling(Stream):
    """An Envoy without stats that remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(socket.socket())
        self.asked: list[str] = []

    async def send(self, data: bytes) -> None:
        self.asked.append(data.split()[1].decode())

    async def receive(self) -> bytes:
        return b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{"stats":[]}\r\n0\r\n\r\n'


MERGE = "/stats?filter=%5E%24"


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ({"stat": "a", "op": "eq", "value": 1}, "/stats?format=json&filter=%5E%28%3F%3Aa%29%24"),
        ({"stat": "a", "labels": {"b": "c"}, "op": "eq", "value": 1}, "/stats?format=prometheus"),
        ({"stat": "a", "bucket": 5, "op": "eq", "value": 1}, MERGE),
        ({"stat": "a", "quantile": 0.5, "labels": {"b": "c"}, "op": "eq", "value": 1}, MERGE),
    ],
)
def test_only_who_is_asked_for_histograms_is_asked_once_more(asked: dict[str, Any], first: str) -> None:
    endpoints = parse_endpoints([{"name": "edge", "url": "http://edge"}])
    wanted = required_queries(parse_assertions([asked]), endpoints, identity=False)["edge"]
    stream = Telling()
    asyncio.run(Client(endpoints[0], Only(stream)).page(wanted, 5))
    stream.close()
    assert stream.asked[0] == first
    assert len(stream.asked) == 1 + (first == MERGE)


def test_the_pause_is_a_part_of_the_time_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    sleep = asyncio.sleep

    async def told(seconds: float) -> None:
        paused.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", told)
    (edge,) = parse_endpoints([{"name": "edge", "url": "http://edge"}])
    stream = Telling()
    page = asyncio.run(Client(edge, Only(stream)).page(EVERYTHING, 0.001))
    stream.close()
    assert page.failure is None or page.failure.kind == "timeout"
    assert all(seconds < 0.001 for seconds in paused)
