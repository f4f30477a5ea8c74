# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a snapshot of endpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import seconds
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    DEFAULT_LIMITS,
    EndpointPool,
    Limits,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import EVERYTHING, Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Snapshot


def scrape(
    endpoints: Sequence[Endpoint],
    query: Mapping[str, Query] | Query = EVERYTHING,
    timeout: float = 30.0,
    limits: Limits = DEFAULT_LIMITS,
    on_page: Callable[[Page], None] | None = None,
) -> Snapshot:
    """Read endpoints at the same time and return a snapshot of them.

    An endpoint that cannot be read does not raise: its page has a `failure` and no samples. Pods are looked up first, and each
    ready pod becomes an endpoint of its own.

    Args:
        endpoints: The endpoints, from `parse_endpoints`.
        query: What to read: one query for all endpoints, or queries by the endpoint's name. Endpoints without a query are left out.
            By default all stats and histograms.
        timeout: Seconds for the whole snapshot. An endpoint that is not reached within it has a failure of kind `timeout`.
        limits: How many endpoints at the same time, how many seconds for each, and how many bytes for a response.
        on_page: Called with each page as soon as it is read, in the order of arrival.

    Returns:
        The snapshot. `pages` has the page of each endpoint by name, in the order of `endpoints`; `as_data()` is its JSON form.

    Raises:
        ArgumentError: `timeout` is not a number above 0, or an endpoint of format `promql` has no query of its own.

    Example:
        >>> endpoints = parse_endpoints([{"name": "edge", "url": "unix:///run/envoy/admin.sock"}])
        >>> snapshot = scrape(endpoints, Query({"stats": Selection(frozenset(["server.live"]))}), timeout=5)
        >>> snapshot.pages["edge"].sources["stats"].values
        {'server.live': 1}
    """
    timeout = seconds(timeout, "timeout")

    async def run() -> Snapshot:
        pool = EndpointPool(endpoints, limits)
        deadline = time.monotonic() + timeout
        try:
            await pool.find_pods(deadline)
            queries = (
                {endpoint.name: _for_format(query, endpoint) for endpoint in endpoints}
                if isinstance(query, Query)
                else query
            )
            snapshot = await pool.snapshot(queries, deadline, on_page)
            snapshot.remarks = pool.remarks
            return snapshot
        finally:
            pool.close()

    return asyncio.run(run())


def _for_format(query: Query, endpoint: Endpoint) -> Query:
    """Return the query for an endpoint of this format: a Prometheus page has the one source `prometheus`."""
    if endpoint.format == "envoy":
        return query
    if endpoint.format == "promql":
        raise ArgumentError(
            f"endpoint {endpoint.name}",
            "a Prometheus server has no page to read. Use an assertion with promql.",
        )
    selection = query.sources.get("stats") or query.sources.get("prometheus")
    return Query({"prometheus": selection} if selection else {}, query.histograms, query.identity)
