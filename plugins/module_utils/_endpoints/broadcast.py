# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the same requests to many Envoy admin interfaces, and collect a reply from each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    DEFAULT_LIMITS,
    EndpointPool,
    Limits,
    not_reached,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure

T = TypeVar("T")

_MAX_MESSAGES = 20


@dataclass
class Reply(Generic[T]):
    """The result of one endpoint. If it failed, `value` has the part that was collected before the failure."""

    name: str
    value: T
    failure: Failure | None = None
    milliseconds: float = 0.0

    def as_data(self) -> dict[str, Any]:
        """Return the entry of a module's result, without `value`."""
        return {
            "name": self.name,
            "ok": self.failure is None,
            "milliseconds": self.milliseconds,
            "failure": self.failure.kind if self.failure else "",
            "message": self.failure.message if self.failure else "",
        }


def broadcast(
    endpoints: Sequence[Endpoint],
    send: Callable[[AdminClient, T], Coroutine[Any, Any, None]],
    empty: Callable[[], T],
    timeout: float = 30.0,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Reply[T]]:
    """Call `send` for each endpoint, several at the same time, and return the replies in the order of `endpoints`.

    Args:
        endpoints: Envoy admin interfaces; each ready pod becomes an endpoint of its own.
        send: Sends the requests through the client, and fills the value.
        empty: Returns the empty value of a reply.
        timeout: Seconds for all endpoints together.
        limits: Limits for each endpoint.

    Raises:
        ArgumentError: An endpoint is not an Envoy admin interface, or `timeout` is not a number above 0.
    """
    timeout = seconds(timeout, "timeout")
    for endpoint in endpoints:
        if endpoint.format != "envoy":
            raise ArgumentError(
                f"endpoint {endpoint.name}",
                f"expected format envoy, got {endpoint.format}. Give an Envoy admin interface.",
            )
    replies: dict[str, Reply[T]] = {}
    deadline = time.monotonic() + timeout

    async def collect(client: AdminClient) -> None:
        reply, began = replies[client.endpoint.name], time.monotonic()
        left = min(limits.request_timeout, deadline - began)
        if left <= 0:
            reply.failure = not_reached(client.endpoint)
            return
        reply.failure = await client.failure_of(send(client, reply.value), left)
        reply.milliseconds = round((time.monotonic() - began) * 1000, 1)

    async def run() -> None:
        pool = EndpointPool(endpoints, limits)
        try:
            await pool.find_pods(deadline)
            replies.update((name, Reply(name, empty())) for name in pool.clients)
            await pool.for_each(collect, pool.clients)
        finally:
            pool.close()

    asyncio.run(run())
    return list(replies.values())


def first_failure(replies: Sequence[Reply[Any]]) -> str:
    """Return the kind of the first failure; empty if there is none."""
    return next((reply.failure.kind for reply in replies if reply.failure), "")


def failure_message(replies: Sequence[Reply[Any]]) -> str:
    """Return one line for each endpoint that failed, at most 20; empty if there is none."""
    lines = [f"{reply.name}: {reply.failure.message}" for reply in replies if reply.failure]
    rest = len(lines) - _MAX_MESSAGES
    return "\n".join([*lines[:_MAX_MESSAGES], *([f"and {rest} more"] if rest > 0 else [])])
