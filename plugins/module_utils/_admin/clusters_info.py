# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read clusters and their hosts: envoy_clusters_info without Ansible."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.broadcast import (
    broadcast,
    failure_message,
    first_failure,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.cluster_hosts import (
    UpstreamHost,
    read_host,
    totals,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import load
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import re2_escape

Clusters = dict[str, dict[str, Any]]
_MAX_FILTER = 8_000  # characters


def path_for(names: Collection[str]) -> str:
    """Return the path. Envoy before 1.38 ignores its `filter`, so the response is filtered as well."""
    pattern = quote(f"^(?:{'|'.join(re2_escape(name) for name in names)})$", safe="") if names else ""
    filtered = pattern and len(pattern) <= _MAX_FILTER and not any("\n" in name for name in names)
    return "/clusters?format=json" + (f"&filter={pattern}" if filtered else "")


def read_clusters(data: Any, names: Collection[str] = ()) -> Clusters:
    """Return the clusters in the response of /clusters?format=json, all or those with these names. Raises ScrapeError."""
    try:
        return {
            cluster["name"]: _cluster(cluster)
            for cluster in data.get("cluster_statuses", ())
            if not names or cluster["name"] in names
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScrapeError(
            "unparsable", f"the clusters in the response cannot be parsed ({type(error).__name__}: {error})"
        ) from None


def _cluster(data: Any) -> dict[str, Any]:
    hosts = [read_host(host) for host in data.get("host_statuses", ())]
    numbers = totals(hosts)
    del numbers["hosts"]
    return {
        "added_via_api": bool(data.get("added_via_api")),
        "eds_service_name": str(data.get("eds_service_name", "")),
        **numbers,
        "hosts": [_host(host) for host in hosts],
    }


def _host(host: UpstreamHost) -> dict[str, Any]:
    return {
        "address": host.address,
        "hostname": host.hostname,
        "healthy": host.healthy,
        "eds_health": host.eds_health,
        "flags": list(host.flags),
        "weight": host.weight,
        "priority": host.priority,
        "locality": dict(host.locality),
        "success_rate": host.success_rate,
        "stats": dict(host.stats),
    }


def clusters_info(
    endpoints: Sequence[Endpoint], names: Sequence[str], timeout: float, limits: Limits
) -> tuple[str, dict[str, Any]]:
    """Read the clusters of all endpoints.

    Args:
        endpoints: Envoy admin interfaces.
        names: Names of clusters; empty for all.
        timeout: Seconds for all endpoints together.
        limits: Limits for each endpoint.

    Returns:
        The failure message, empty if there is none, and the result of the module.

    Raises:
        ArgumentError: An endpoint is not an Envoy admin interface, or the timeout is wrong.
    """
    began, path = time.monotonic(), path_for(names)

    async def send(client: AdminClient, found: Clusters) -> None:
        found.update(read_clusters(load((await client.get(path)).body), names))

    replies = broadcast(endpoints, send, Clusters, timeout, limits)
    return failure_message(replies), {
        "clusters": {reply.name: reply.value for reply in replies if reply.failure is None},
        "endpoints": [reply.as_data() for reply in replies],
        "failure": first_failure(replies),
        "elapsed": round(time.monotonic() - began, 3),
    }
