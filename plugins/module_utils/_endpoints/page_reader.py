# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one endpoint: request every source of a query, and parse the responses into a page of a snapshot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.async_timeout import time_limit
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import StopWhen
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.standby_hosts import (
    CLUSTERS_PATH,
    count_hosts,
    leave_out,
    standby_hosts,
    without_standby,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import promql
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import query as queries
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.admin_pages import parse_data
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.config_status import rejected_updates
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import (
    load,
    parse_stats,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import (
    identity_from_stats,
    parse_identity,
    parse_loaded,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_text,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Samples,
    Selection,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.sources import SOURCES

# Seconds for Envoy's workers to merge their histograms. No admin page shows when the merge is complete. Measured with one Envoy 1.40:
# a request at once missed samples in one of ten times, a request after this pause never.
_MERGE_PAUSE = 0.02
# Bytes of /server_info that are read at most to find its node, which precedes the extensions.
_SERVER_INFO_HEAD = 16_384


async def read_page(client: AdminClient, query: Query, timeout: float, compare_loaded: bool = False) -> Page:
    """Read one endpoint within `timeout` seconds. An error becomes the failure of the returned page.

    Args:
        client: The endpoint.
        query: What to read.
        timeout: Seconds for all requests together.
        compare_loaded: Also read when Envoy loaded its bootstrap, since an earlier snapshot was taken in Envoy's first second.
    """
    transferred = client.transferred
    began = time.monotonic()
    page = Page(client.endpoint.name, client.endpoint.format, time.time())
    complete = queries.with_identity_metrics(query, client.endpoint.format)
    page.failure = await client.failure_of(
        _Reader(client, page).fill(complete, compare_loaded, timeout), timeout
    )
    page.bytes = client.transferred - transferred
    page.milliseconds = round((time.monotonic() - began) * 1000, 1)
    if page.failure:
        page.sources.clear()
    return page


async def read_counter_names(
    client: AdminClient, names: Iterable[str], timeout: float
) -> frozenset[str] | None:
    """Return which of these stats are counters, or None if the endpoint does not show that within `timeout` seconds."""
    try:
        async with time_limit(timeout):
            selection = Selection(frozenset(names))
            body = (await client.get(queries.counters_path(selection.names))).body
            return frozenset(parse_stats(body, selection, histograms=False).values)
    except Exception:
        client.close()
        return None


@dataclass
class _Reader:
    """Fills one page."""

    client: AdminClient
    page: Page

    async def fill(self, query: Query, compare_loaded: bool, timeout: float) -> None:
        page, form = self.page, self.client.endpoint.format
        if form == "envoy" and queries.reads_histograms(query):
            await self._merge_histograms(timeout)
        for source, selection in query.sources.items():
            page.sources[source] = await self._source(source, selection, query.histograms)
        page.time = time.time()
        if form == "envoy" and query.identity:
            page.identity = await self._identity()
            # Uptime is in whole seconds: it does not distinguish two processes that both started less than a second ago.
            if page.identity is not None and (compare_loaded or page.identity.uptime == 0):
                page.identity = replace(page.identity, loaded=await self._loaded())
        elif form == "prometheus":
            page.identity = _identity_from_metrics(page)

    async def _merge_histograms(self, timeout: float) -> None:
        """Make an Envoy with stats_flush_on_admin merge its histograms; otherwise they are as old as the previous request.

        This is done for each snapshot, since a wait would otherwise see the histograms of its previous snapshot.
        """
        await self.client.get(queries.NO_STATS_PATH)
        await asyncio.sleep(min(_MERGE_PAUSE, timeout / 4))

    async def _source(self, source: str, selection: Selection, histograms: bool) -> Samples:
        if source == "stats":
            body = (await self.client.get(queries.stats_path(selection, histograms))).body
            samples = parse_stats(body, selection, histograms)
            if selection.usedonly:
                await self._add_unused(samples, histograms)
            return await self._without_standby(samples)
        if source == "prometheus":
            path = queries.PROMETHEUS_PATH if self.client.endpoint.format == "envoy" else ""
            # A Prometheus page also has the metrics without a value so far.
            samples = parse_text((await self.client.get(path)).body, replace(selection, usedonly=False))
            return await self._without_standby(samples)
        expression = promql.query_of(source)
        if expression is not None:
            response = await self.client.get(promql.query_path(expression), accept=promql.STATUSES)
            return promql.parse_response(response.body, expression)
        page = SOURCES[source]
        if page.parse is None:
            raise ValueError(f"{source} is not an admin page")
        response = await self.client.get(page.path, accept=page.statuses)
        if source == "clusters" and self.client.endpoint.standby:
            data = without_standby(load(response.body), self.client.endpoint.standby)
            readings = parse_data(source, data)
        else:
            readings = page.parse(response.status, response.body)
        if source == "config":
            counts = await self._stats_if_allowed(queries.REJECTED_UPDATES)
            if counts is not None:
                readings.update(rejected_updates(counts))
        return Samples(selection, {name: value for name, value in readings.items() if selection.covers(name)})

    async def _add_unused(self, samples: Samples, histograms: bool) -> None:
        """Read the stats that are selected by name and missing in a response with `usedonly`: Envoy may never have used them."""
        unused = Selection(samples.selection.names.difference(samples.values, samples.histograms))
        if not unused.names:
            return
        body = (await self.client.get(queries.stats_path(unused, histograms))).body
        found = parse_stats(body, unused, histograms)
        samples.values.update(found.values)
        samples.histograms.update(found.histograms)
        samples.intervals.update(found.intervals)

    async def _without_standby(self, samples: Samples) -> Samples:
        """Return the stats without the standby hosts of the endpoint's clusters, which `/clusters` shows."""
        clusters = self.client.endpoint.standby
        if clusters and count_hosts(samples.values):
            data = load((await self.client.get(CLUSTERS_PATH)).body)
            leave_out(samples, standby_hosts(data, clusters))
        return samples

    async def _identity(self) -> Identity | None:
        sent = time.time()
        # To read the rest, 120 kB of extensions, takes longer than a new connection, except through the API server.
        stop_when: StopWhen | None = None if self.client.endpoint.pods else _has_node
        try:
            response = await self.client.get("/server_info", stop_when=stop_when)
        except ScrapeError as error:
            if error.kind == "http_status":  # admin.allow_paths may exclude the page
                return await self._identity_by_stats()
            raise
        received = time.time()
        return parse_identity(response.body, received, received - sent)

    async def _loaded(self) -> str:
        """Return when Envoy loaded its bootstrap; empty if admin.allow_paths excludes the page."""
        try:
            return parse_loaded(load((await self.client.get(queries.BOOTSTRAP_LOADED_PATH)).body))
        except ScrapeError as error:
            if error.kind == "http_status":
                return ""
            raise

    async def _identity_by_stats(self) -> Identity | None:
        sent = time.time()
        values = await self._stats_if_allowed(queries.IDENTITY)
        received = time.time()
        return identity_from_stats(values or {}, received, received - sent)

    async def _stats_if_allowed(self, selection: Selection) -> dict[str, Scalar] | None:
        """Return these stats; None if admin.allow_paths excludes the page."""
        try:
            body = (await self.client.get(queries.stats_path(selection, False))).body
        except ScrapeError as error:
            if error.kind == "http_status":
                return None
            raise
        return parse_stats(body, selection, histograms=False).values


def _has_node(head: bytearray) -> bool:
    return b'"node"' in head or len(head) > _SERVER_INFO_HEAD


def _identity_from_metrics(page: Page) -> Identity | None:
    samples = page.sources.get("prometheus")
    started = samples.values.get(series("process_start_time_seconds", {})) if samples else None
    if not isinstance(started, (int, float)):
        # Envoy's own Prometheus page has an uptime instead.
        return identity_from_stats(samples.values if samples else {}, page.time, 0.0)
    return Identity(uptime=round(page.time - started, 3), started=float(started), slack=1.0)
