# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read or change many endpoints at the same time, within limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import (
    MAX_BYTES,
    AdminClient,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.page_reader import read_page
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.pod_endpoints import expand, find
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes.reader_processes import (
    Store,
    process_count,
    read_in_processes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Snapshot

CONCURRENCY = 64
REQUEST_TIMEOUT = 5.0  # seconds
# Seconds after which an endpoint counts as slow: another one is read in addition to it.
_SLOW = 0.5
# Upper limit of the endpoints in progress, slow ones included, as a multiple of `concurrency`.
_MAX_IN_PROGRESS = 4


@dataclass(frozen=True)
class Limits:
    """Limits for reading endpoints."""

    concurrency: int = CONCURRENCY
    """How many endpoints are read at the same time. An endpoint that takes longer than 0.5 s is not counted, up to 4 times this number."""
    request_timeout: float = REQUEST_TIMEOUT
    """Seconds for one endpoint."""
    max_bytes: int = MAX_BYTES
    """Limit for a response body in bytes, after decompression."""


DEFAULT_LIMITS = Limits()


def limits_from(params: Mapping[str, Any]) -> Limits:
    """Return the limits in the arguments of a module, those of ENDPOINT_ARGS. Raises ArgumentError."""
    for option in ("concurrency", "max_bytes"):
        if params[option] < 1:
            raise ArgumentError(option, f"expected 1 or more, got {params[option]}.")
    return Limits(
        params["concurrency"], seconds(params["request_timeout"], "request_timeout"), params["max_bytes"]
    )


@dataclass
class EndpointPool:
    """Endpoints and their connections. Call `close` at the end, and `find_pods` first if an endpoint is a pod."""

    endpoints: Sequence[Endpoint]
    limits: Limits = DEFAULT_LIMITS
    clients: dict[str, AdminClient] = field(default_factory=dict)
    """The client of each endpoint, by name."""
    remarks: list[str] = field(default_factory=list)
    """A sentence for each pod that is left out because it is not ready."""
    compare_loaded: Collection[str] = ()
    """Names of endpoints that an earlier snapshot reached in Envoy's first second."""
    client_type: type[AdminClient] = AdminClient
    """The class of the clients, which can refuse requests."""

    def __post_init__(self) -> None:
        self._entries = self.endpoints
        self._connector = Connector()
        self._replace_endpoints(self.endpoints)

    async def find_pods(self, deadline: float) -> None:
        """Look up the pods again. A pod that is still there keeps its connection."""
        entries = [(entry, entry.pods) for entry in self._entries if entry.pods is not None]
        if not entries:
            return
        left = max(0.1, min(self.limits.request_timeout, deadline - time.monotonic()))
        endpoints, self.remarks = expand(self._entries, await find(entries, left))
        self._replace_endpoints(endpoints)

    def _replace_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        before, self.clients, self.endpoints = self.clients, {}, endpoints
        for endpoint in endpoints:
            client = before.get(endpoint.name)
            if client is None or client.endpoint != endpoint:
                client = self.client_type(endpoint, self._connector, self.limits.max_bytes)
            self.clients[endpoint.name] = client
        for name, client in before.items():
            if self.clients.get(name) is not client:
                client.close()

    async def snapshot(
        self, queries: Mapping[str, Query], deadline: float, on_page: Callable[[Page], None] | None = None
    ) -> Snapshot:
        """Read the endpoints that have a query.

        Args:
            queries: What to read, by the name of the endpoint, or of the entry that the pods come from.
            deadline: On the clock of `time.monotonic`.
            on_page: Called with each page as soon as it is read.
        """
        snapshot = Snapshot(time.time())
        selected = {
            name: queries.get(name) or queries.get(client.endpoint.group)
            for name, client in self.clients.items()
        }
        names = [name for name, query in selected.items() if query is not None]

        async def read(chosen: Iterable[str], concurrency: int, store: Store) -> None:
            async def read_one(client: AdminClient) -> None:
                page = await self._read(client, selected[client.endpoint.name] or Query(), deadline)
                page.group = client.endpoint.group
                await store(page)

            await self.for_each(read_one, chosen, concurrency)

        def store(page: Page) -> None:
            client = self.clients[page.name]
            if page.failure is None or page.failure != not_reached(client.endpoint):
                client.reads += 1
            snapshot.pages[page.name] = page
            if on_page is not None:
                on_page(page)

        concurrency = self.limits.concurrency
        count = process_count([self.clients[name].endpoint for name in names], concurrency)
        if count > 1:
            # Two processes cannot use one connection.
            for client in self.clients.values():
                client.close()
        await read_in_processes(names, read, store, count, concurrency, deadline)
        # In the order of the endpoints, whichever answered first.
        snapshot.pages = {name: snapshot.pages[name] for name in names}
        return snapshot

    async def for_each(
        self,
        action: Callable[[AdminClient], Awaitable[None]],
        names: Iterable[str],
        concurrency: int | None = None,
    ) -> None:
        """Await `action` for each of these endpoints, several at the same time.

        At most `concurrency` run at once, by default `limits.concurrency`. A slow one no longer counts, up to an upper limit, so that
        endpoints which do not answer do not delay the others.
        """
        concurrency = concurrency or self.limits.concurrency
        position = iter(names)
        many = len(self.clients) > self.limits.concurrency
        running: set[asyncio.Task[None]] = set()
        # The tasks that count, and when each began its current endpoint.
        began: dict[asyncio.Task[None], float] = {}
        now = time.monotonic

        async def work() -> None:
            task = asyncio.current_task()
            while task in began:
                name = next(position, None)
                if name is None:
                    break
                began[task] = now()
                client = self.clients[name]
                await action(client)
                if many:
                    client.close()  # a thousand endpoints would otherwise keep a thousand descriptors open

        def start() -> None:
            task = asyncio.create_task(work())
            began[task] = now()
            running.add(task)
            task.add_done_callback(running.discard)

        async def replace_slow() -> None:
            most = _MAX_IN_PROGRESS * concurrency
            while True:
                await asyncio.sleep(_SLOW / 2)
                for task, since in list(began.items()):
                    if now() - since > _SLOW and len(running) < most:
                        del began[task]
                        start()

        for _number in range(min(concurrency, len(self.clients))):
            start()
        replacing = asyncio.create_task(replace_slow())
        try:
            while running:
                await asyncio.gather(*running)
        finally:
            replacing.cancel()

    async def _read(self, client: AdminClient, query: Query, deadline: float) -> Page:
        left = min(self.limits.request_timeout, deadline - time.monotonic())
        if left <= 0:
            failure = not_reached(client.endpoint)
            return Page(client.endpoint.name, client.endpoint.format, time.time(), failure=failure)
        return await read_page(client, query, left, client.endpoint.name in self.compare_loaded)

    def close(self) -> None:
        """Close all connections, except those that the access to pods keeps for a later pool."""
        for client in self.clients.values():
            client.release()


def not_reached(endpoint: Endpoint) -> Failure:
    """Return the failure of an endpoint that no request was sent to before the timeout."""
    return Failure(
        "timeout", f"{endpoint.where}: no request was sent before the timeout; set a longer timeout"
    )
