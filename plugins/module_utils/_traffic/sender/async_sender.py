# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send a traffic in asyncio: each request in a task, at most `concurrency` of them at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Sent, Tally
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import (
    CONNECT_PAUSE,
    Schedule,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.multiplexed_client import (
        MultiplexedClient,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic


async def send_all_requests(
    traffic: Traffic, new_client: Callable[[], MultiplexedClient], schedule: Schedule, tally: Tally
) -> Sent:
    """Send the requests of a traffic.

    Args:
        traffic: The requests.
        new_client: Returns a client; each serves `streams` requests at the same time.
        schedule: When requests are due, and when the traffic ends.
        tally: Counts the answers.
    """
    slots = min(traffic.concurrency, traffic.requests or traffic.concurrency)
    clients = [new_client() for _number in range(-(-slots // traffic.streams))]
    began, started = time.time(), schedule.started
    workers = [_send(traffic, clients[number // traffic.streams], schedule, tally) for number in range(slots)]
    try:
        await asyncio.gather(*workers)
    finally:
        for client in clients:
            client.close()
    elapsed = time.monotonic() - started
    await asyncio.sleep(0)  # the transports send what closes their connections
    return Sent(
        tally,
        elapsed,
        sum(client.connections for client in clients),
        sum(client.retries for client in clients),
        began,
    )


async def _send(traffic: Traffic, client: MultiplexedClient, schedule: Schedule, tally: Tally) -> None:
    """Send requests one after the other until the traffic ends."""
    while (due := schedule.take_next()) is not None:
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
            if schedule.is_stopped:
                return
        is_counted = due >= schedule.counted_from
        started = due if schedule.is_open else time.monotonic()
        try:
            answer: Answer = await client.exchange(time.monotonic() + traffic.timeout)
        except RequestError as failure:
            if is_counted:
                tally.failure(failure)
            if failure.kind == "connect" and traffic.duration:
                await asyncio.sleep(CONNECT_PAUSE)
        else:
            if is_counted:
                tally.answer(answer, time.monotonic() - started)
        schedule.request_ended()
