# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks one endpoint for all that is wanted of it, over one connection that is kept between looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.run_in_thread import run_in_thread
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.container_exec import explain
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, shown
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import (
    Answer,
    Enough,
    ask,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.pod_endpoints import why_gone
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import promql
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import query as asking
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.admin_pages import (
    PATHS,
    identity_by_stats,
    read_facts,
    read_identity,
    read_loaded,
    read_ready,
    rejected_updates,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import (
    glimpse,
    load,
    parse_stats,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure, ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_text,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Wanted
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Samples,
    Selection,
)

MAX_BYTES = 64 * 1024 * 1024
# Seconds that the workers get to merge their histograms. It is a guess, since nothing shows when they have: of a single Envoy, a question
# at once missed samples in one of ten times, and one after this pause in none.
_MERGING = 0.02
# How a pod that goes away while it answers may look.
_MAY_BE_GONE = ("unreachable", "timeout", "unparsable")


@dataclass
class Client:
    """One endpoint, and the connection to it."""

    endpoint: Endpoint
    connector: Connector
    max_bytes: int = MAX_BYTES
    attempts: int = 0
    _stream: Stream | None = field(default=None, repr=False)

    async def page(self, wanted: Wanted, timeout: float, young: bool = False) -> Page:
        """What the endpoint shows, within `timeout` seconds; a failure is part of the page.

        `young` says that an earlier look saw it in its first second.
        """
        self.attempts += 1
        began = time.monotonic()
        page = Page(self.endpoint.name, self.endpoint.format, time.time())
        page.failure = await self.within(
            timeout, self._fill(page, asking.asked_anyway(wanted, self.endpoint.format), young, timeout)
        )
        page.milliseconds = round((time.monotonic() - began) * 1000, 1)
        if page.failure:
            page.sources.clear()
        return page

    async def within(self, timeout: float, work: Coroutine[Any, Any, None]) -> Failure | None:
        """Does what asks the endpoint, within `timeout` seconds; returns what went wrong, with the connection closed."""
        if self.endpoint.lack is not None:
            work.close()
            return self.endpoint.lack
        try:
            async with asyncio.timeout(timeout):
                await work
            return None
        except TimeoutError:
            failure = Failure("timeout", f"no whole answer from {self.endpoint.where} within {timeout:.3g} s")
        except ScrapeError as error:
            failure = Failure(error.kind, f"{self.endpoint.where}: {error.message}")
        except (OSError, EOFError) as error:
            words = await self._last_words() or str(error) or "the connection was closed without an answer"
            failure = Failure("unreachable", f"{self.endpoint.where}: {words}")
        except Exception as error:  # whatever one endpoint says, the others are asked
            words = f"its answer cannot be read ({type(error).__name__}: {str(error)[:200]})"
            failure = Failure("unparsable", f"{self.endpoint.where}: {words}")
        self.close()
        return await self._unless_gone(failure)

    async def _unless_gone(self, failure: Failure) -> Failure:
        """Where a pod went away, what came of its answer says nothing else."""
        if self.endpoint.pods is None or failure.kind not in _MAY_BE_GONE:
            return failure
        gone = await why_gone(self.endpoint, self.endpoint.pods)
        return Failure("unreachable", gone) if gone else failure

    async def get(self, path: str) -> Answer:
        """A page of the admin. Raises ScrapeError where it is not given."""
        return await self._get(path)

    async def send(self, path: str, method: str = "POST") -> Answer:
        """A question of which every status is an answer."""
        answer = await self._ask(self.endpoint.path + path, None, method)
        if not answer.reusable:
            self.close()
        return answer

    async def kinds(self, names: Iterable[str], timeout: float) -> frozenset[str] | None:
        """Which of these stats are counters; None where that cannot be found out."""
        try:
            async with asyncio.timeout(timeout):
                wanted = Selection(frozenset(names))
                body = (await self._get(asking.kinds_path(wanted.names))).body
                return frozenset(parse_stats(body, wanted, histograms=False).values)
        except Exception:
            self.close()
            return None

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _fill(self, page: Page, wanted: Wanted, young: bool, timeout: float) -> None:
        if self.endpoint.format == "envoy" and asking.reads_histograms(wanted):
            await self._merge(page, timeout)
        for source, selection in wanted.sources.items():
            page.sources[source] = await self._source(page, source, selection, wanted.histograms)
        page.time = time.time()
        if self.endpoint.format == "envoy" and wanted.identity:
            page.identity = await self._identity(page)
            # Uptime is in whole seconds: it does not tell this process from another that is as young.
            if page.identity is not None and (young or page.identity.uptime == 0):
                page.identity = replace(page.identity, loaded=await self._loaded(page))
        elif self.endpoint.format == "prometheus":
            page.identity = _start_time(page)

    async def _merge(self, page: Page, timeout: float) -> None:
        """Has an Envoy with stats_flush_on_admin merge its histograms: what it shows is as old as the question before.

        Once for each look, also for one that waits: its numbers would otherwise be those of the look before.
        """
        await self._get(asking.NOTHING, page)
        await asyncio.sleep(min(_MERGING, timeout / 4))

    async def _source(self, page: Page, source: str, selection: Selection, histograms: bool) -> Samples:
        if source == "stats":
            body = (await self._get(asking.stats_path(selection, histograms), page)).body
            samples = parse_stats(body, selection, histograms)
            if selection.usedonly:
                await self._unused(page, samples, histograms)
            return samples
        if source == "prometheus":
            path = asking.prometheus_path(selection) if self.endpoint.format == "envoy" else ""
            selection = replace(selection, usedonly=False)  # nothing is left out of such a page
            return parse_text((await self._get(path, page)).body, selection)
        query = promql.query_of(source)
        if query is not None:
            said = await self._get(promql.query_path(query), page, accept=promql.TOLD)
            return promql.parse_answer(said.body, query)
        answer = await self._get(PATHS[source], page, accept=(200, 503) if source == "ready" else (200,))
        if source == "ready":
            readings = read_ready(answer.status, answer.body)
        else:
            readings = read_facts(source, load(answer.body))
            if (
                source == "config"
                and (counts := await self._stats_if_shown(page, asking.REJECTED)) is not None
            ):
                readings.update(rejected_updates(counts))
        return Samples(selection, {name: value for name, value in readings.items() if selection.covers(name)})

    async def _unused(self, page: Page, samples: Samples, histograms: bool) -> None:
        """Asks for those that are wanted by name and did not come, since Envoy may have them and have never used them."""
        unused = Selection(samples.selection.names.difference(samples.values, samples.histograms))
        if not unused.names:
            return
        body = (await self._get(asking.stats_path(unused, histograms), page)).body
        found = parse_stats(body, unused, histograms)
        samples.values.update(found.values)
        samples.histograms.update(found.histograms)
        samples.intervals.update(found.intervals)

    async def _identity(self, page: Page) -> Identity | None:
        sent = time.time()
        try:
            answer = await self._get(
                "/server_info",
                page,
                # The rest of it is worth less than a new connection, unless that goes through the API server.
                enough=None if self.endpoint.pods else lambda head: b'"node"' in head or len(head) > 16_384,
            )
        except ScrapeError as error:
            if error.kind == "http_status":  # allow_paths may keep it back
                return await self._identity_by_stats(page)
            raise
        received = time.time()
        return read_identity(answer.body, received, received - sent)

    async def _loaded(self, page: Page) -> str:
        """When it loaded its bootstrap; '' where allow_paths keeps that back."""
        try:
            return read_loaded(load((await self._get(asking.LOADED, page)).body))
        except ScrapeError as error:
            if error.kind == "http_status":
                return ""
            raise

    async def _identity_by_stats(self, page: Page) -> Identity | None:
        sent = time.time()
        values = await self._stats_if_shown(page, asking.IDENTITY)
        received = time.time()
        return identity_by_stats(values or {}, received, received - sent)

    async def _stats_if_shown(self, page: Page, selection: Selection) -> dict[str, Scalar] | None:
        """Stats that something else is read from; None where allow_paths keeps them back."""
        try:
            body = (await self._get(asking.stats_path(selection, False), page)).body
        except ScrapeError as error:
            if error.kind == "http_status":
                return None
            raise
        return parse_stats(body, selection, histograms=False).values

    async def _get(
        self,
        path: str,
        page: Page | None = None,
        accept: tuple[int, ...] = (200,),
        enough: Enough | None = None,
    ) -> Answer:
        answer = await self._ask(self.endpoint.path + path, enough)
        if page is not None:
            page.bytes += answer.travelled
        if not answer.reusable:
            self.close()
        if answer.status not in accept:
            raise ScrapeError("http_status", _status_words(answer, path or self.endpoint.path))
        return answer

    async def _ask(self, path: str, enough: Enough | None, method: str = "GET") -> Answer:
        """One question; where the kept connection has died meanwhile, on a new one."""
        kept = self._stream is not None
        try:
            return await self._ask_once(path, enough, method)
        except (OSError, EOFError):
            if not kept:
                raise
            self.close()
            return await self._ask_once(path, enough, method)

    async def _ask_once(self, path: str, enough: Enough | None, method: str) -> Answer:
        if self._stream is None:
            self._stream = await self.connector.open(self.endpoint)
        return await ask(
            self._stream, path, self.endpoint.authority, self.endpoint.headers, self.max_bytes, enough, method
        )

    async def _last_words(self) -> str:
        if self._stream is None or not self.endpoint.container:
            return ""
        return explain(await run_in_thread(self._stream.explain), self.endpoint.container)


def _status_words(answer: Answer, path: str) -> str:
    page = path.partition("?")[0]
    if answer.status == 403:
        return f"{page} answered 403; does admin.allow_paths leave it out? It needs a prefix, since a query counts as path"
    if 300 <= answer.status < 400:
        target = shown(answer.headers.get("location", "nowhere"))[:100]
        return f"{page} answered {answer.status}, to {target!r}; a redirect is not followed, so give the address that it leads to"
    if answer.status == 404:
        return f"{page} answered 404; is this Envoy's admin, and not one of its listeners?"
    said = f": {glimpse(answer.body)}" if answer.body and answer.status == 400 else ""
    return f"{page} answered {answer.status}{said}"


def _start_time(page: Page) -> Identity | None:
    samples = page.sources.get("prometheus")
    started = samples.values.get(series("process_start_time_seconds", {})) if samples else None
    if not isinstance(started, (int, float)):
        # Envoy's own page has no such metric, and an uptime.
        return identity_by_stats(samples.values if samples else {}, page.time, 0.0)
    return Identity(uptime=round(page.time - started, 3), started=float(started), slack=1.0)
