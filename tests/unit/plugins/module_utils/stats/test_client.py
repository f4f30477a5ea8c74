# Copyright (c) 2026 meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one endpoint's failure must not do to the loop in which all are asked."""

from __future__ import annotations

import asyncio
import threading

from ansible_collections.meshlab.envoy.plugins.module_utils.stats.api import EVERYTHING, parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.client import Client
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.snapshot import Page
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.transport import Connector

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
