# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks many endpoints side by side, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import MAX_BYTES, Client
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.pod_endpoints import expand, find
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import EVERYTHING, Wanted
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Snapshot

CONCURRENCY = 64
REQUEST_TIMEOUT = 5.0
# Seconds after which another endpoint is asked beside one that has not answered, and how many times `concurrency` that may come to.
_PATIENCE = 0.5
_MOST_AT_ONCE = 4


@dataclass(frozen=True)
class Limits:
    """How much at once, how long, how large."""

    concurrency: int = CONCURRENCY
    request_timeout: float = REQUEST_TIMEOUT
    max_bytes: int = MAX_BYTES


DEFAULT_LIMITS = Limits()


def limits_from(given: Mapping[str, Any]) -> Limits:
    """From a module's arguments (those of ENDPOINT_ARGS)."""
    if given["concurrency"] < 1:
        raise SpecError(f"concurrency has to be 1 or more, not {given['concurrency']}")
    if given["max_bytes"] < 1:
        raise SpecError(f"max_bytes has to be 1 or more, not {given['max_bytes']}")
    return Limits(
        given["concurrency"], seconds(given["request_timeout"], "request_timeout"), given["max_bytes"]
    )


@dataclass
class Fleet:
    """Endpoints with their connections; to be closed at the end. Where some are pods, `find_pods` comes before anything else."""

    endpoints: Sequence[Endpoint]
    limits: Limits = DEFAULT_LIMITS
    clients: dict[str, Client] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)  # pods that are not asked
    young: Collection[str] = ()  # whom an earlier look saw in its first second

    def __post_init__(self) -> None:
        self._entries = self.endpoints
        self._connector = Connector()
        self._settle(self.endpoints)

    async def find_pods(self, deadline: float) -> None:
        """Looks up which pods there are now. A pod that is still there keeps its connection."""
        entries = [(one, one.pods) for one in self._entries if one.pods is not None]
        if not entries:
            return
        left = max(0.1, min(self.limits.request_timeout, deadline - time.monotonic()))
        answers = await asyncio.gather(*[find(one, pods, left) for one, pods in entries])
        found = {one.name: answer for (one, _pods), answer in zip(entries, answers, strict=True)}
        endpoints, self.remarks = expand(self._entries, found)
        self._settle(endpoints)

    def _settle(self, endpoints: Sequence[Endpoint]) -> None:
        before, self.clients, self.endpoints = self.clients, {}, endpoints
        for endpoint in endpoints:
            client = before.get(endpoint.name)
            if client is None or client.endpoint != endpoint:
                client = Client(endpoint, self._connector, self.limits.max_bytes)
            self.clients[endpoint.name] = client
        for name, client in before.items():
            if self.clients.get(name) is not client:
                client.close()

    async def look(
        self, wanted: Mapping[str, Wanted], deadline: float, seen: Callable[[Page], None] | None = None
    ) -> Snapshot:
        """One look at those endpoints of which something is wanted; `deadline` is on the monotonic clock."""
        snapshot = Snapshot(time.time())
        # What is wanted of pods is said of all of them together, before they are known.
        asked = {
            name: wanted.get(name) or wanted.get(client.endpoint.group)
            for name, client in self.clients.items()
        }
        waiting = [name for name, one in asked.items() if one is not None]

        async def one(client: Client) -> None:
            name = client.endpoint.name
            page = await self._one(client, asked[name] or Wanted(), deadline)
            page.group = client.endpoint.group
            snapshot.pages[name] = page
            if seen is not None:
                seen(page)

        await self.each(one, waiting)
        # In the order in which they were given, whoever answered first.
        snapshot.pages = {name: snapshot.pages[name] for name in waiting}
        return snapshot

    async def each(self, job: Callable[[Client], Awaitable[None]], names: Iterable[str]) -> None:
        """Does a job with endpoints side by side, no more of them at once than the limits say.

        One that takes long gives its place to the next, within a bound, so that dead endpoints do not keep the others from their turn.
        """
        waiting = list(names)
        position = iter(waiting)
        many = len(self.clients) > self.limits.concurrency
        running: set[asyncio.Task[None]] = set()
        # Those that hold a place, and since when they do their job.
        since: dict[asyncio.Task[None], float] = {}
        now = time.monotonic

        async def worker() -> None:
            me = asyncio.current_task()
            while me in since:
                name = next(position, None)
                if name is None:
                    break
                since[me] = now()
                client = self.clients[name]
                await job(client)
                if many:
                    client.close()  # a fleet would otherwise hold a descriptor for each

        def start() -> None:
            task = asyncio.create_task(worker())
            since[task] = now()
            running.add(task)
            task.add_done_callback(running.discard)

        async def replace() -> None:
            while True:
                await asyncio.sleep(_PATIENCE / 2)
                for task, began in list(since.items()):
                    if now() - began > _PATIENCE and len(running) < _MOST_AT_ONCE * self.limits.concurrency:
                        del since[task]
                        start()

        for _number in range(min(self.limits.concurrency, len(waiting))):
            start()
        replacing = asyncio.create_task(replace())
        try:
            while running:
                await asyncio.gather(*running)
        finally:
            replacing.cancel()

    async def _one(self, client: Client, wanted: Wanted, deadline: float) -> Page:
        left = min(self.limits.request_timeout, deadline - time.monotonic())
        if left <= 0:
            where = client.endpoint.where
            failure = Failure("timeout", f"{where} was not asked: the time was over before its turn came")
            return Page(client.endpoint.name, client.endpoint.format, time.time(), failure=failure)
        return await client.page(wanted, left, client.endpoint.name in self.young)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


def scrape(
    endpoints: Sequence[Endpoint],
    wanted: Mapping[str, Wanted] | Wanted = EVERYTHING,
    timeout: float = 30.0,
    limits: Limits = DEFAULT_LIMITS,
    seen: Callable[[Page], None] | None = None,
) -> Snapshot:
    """One look at endpoints. `wanted` is for all of them, or by endpoint's name; an endpoint that fails has a page that says so.

    `seen` is called with each page as soon as it is there. Raises SpecError for a `timeout` that is none.
    """
    timeout = seconds(timeout, "timeout")

    async def run() -> Snapshot:
        fleet = Fleet(endpoints, limits)
        deadline = time.monotonic() + timeout
        try:
            await fleet.find_pods(deadline)
            each = (
                {one.name: _for_format(wanted, one) for one in endpoints}
                if isinstance(wanted, Wanted)
                else wanted
            )
            snapshot = await fleet.look(each, deadline, seen)
            snapshot.remarks = fleet.remarks
            return snapshot
        finally:
            fleet.close()

    return asyncio.run(run())


def _for_format(wanted: Wanted, endpoint: Endpoint) -> Wanted:
    """The same wish for an endpoint that has no other page than Prometheus'."""
    if endpoint.format == "envoy":
        return wanted
    if endpoint.format == "promql":
        raise SpecError(
            f"endpoint {endpoint.name} is a Prometheus server, which has no page to read; ask it with promql"
        )
    selection = wanted.sources.get("stats") or wanted.sources.get("prometheus")
    return Wanted({"prometheus": selection} if selection else {}, wanted.histograms, wanted.identity)
