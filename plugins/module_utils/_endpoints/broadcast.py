# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question put to many admins side by side, whatever it is; what each answered, or why it did not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import Client
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.scrape import (
    DEFAULT_LIMITS,
    Fleet,
    Limits,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure

T = TypeVar("T")


@dataclass
class Reply(Generic[T]):
    """What one endpoint answered; `value` is what there was before a failure, too."""

    name: str
    value: T
    failure: Failure | None = None
    milliseconds: float = 0.0

    def as_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.failure is None,
            "milliseconds": self.milliseconds,
            "failure": self.failure.kind if self.failure else "",
            "message": self.failure.message if self.failure else "",
        }


def put(
    endpoints: Sequence[Endpoint],
    question: Callable[[Client, T], Coroutine[Any, Any, None]],
    empty: Callable[[], T],
    timeout: float = 30.0,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Reply[T]]:
    """Puts `question` to each endpoint with an `empty()` to fill. Raises SpecError for an endpoint that is no admin, or no time."""
    timeout = seconds(timeout, "timeout")
    for endpoint in endpoints:
        if endpoint.format != "envoy":
            raise SpecError(
                f"endpoint {endpoint.name!r} is no admin of Envoy, but has format {endpoint.format}"
            )
    replies: dict[str, Reply[T]] = {}
    deadline = time.monotonic() + timeout

    async def job(client: Client) -> None:
        reply, began = replies[client.endpoint.name], time.monotonic()
        left = min(limits.request_timeout, deadline - began)
        if left <= 0:
            words = f"{client.endpoint.where} was not asked: the time was over before its turn came"
            reply.failure = Failure("timeout", words)
            return
        reply.failure = await client.within(left, question(client, reply.value))
        reply.milliseconds = round((time.monotonic() - began) * 1000, 1)

    async def run() -> None:
        fleet = Fleet(endpoints, limits)
        try:
            await fleet.find_pods(deadline)
            replies.update((name, Reply(name, empty())) for name in fleet.clients)
            await fleet.each(job, fleet.clients)
        finally:
            fleet.close()

    asyncio.run(run())
    return list(replies.values())


def first_failure(replies: Sequence[Reply[Any]]) -> str:
    """The kind of the first failure; empty where there was none."""
    return next((reply.failure.kind for reply in replies if reply.failure), "")


def failures(replies: Sequence[Reply[Any]]) -> str:
    """A sentence for each endpoint that failed."""
    lines = [f"{reply.name}: {reply.failure.message}" for reply in replies if reply.failure]
    more = [f"and {len(lines) - 20} more"] if len(lines) > 20 else []
    return "\n".join([*lines[:20], *more])
