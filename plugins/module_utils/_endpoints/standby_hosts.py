# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave the standby hosts of clusters out of readings, so that an expectation about hosts is the same on each platform.

A standby host is a degraded host below the highest priority, in a cluster that a plan names. Envoy uses it only while the
cluster has no other host.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.cluster_hosts import read_host
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_series,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples

CLUSTERS_PATH = "/clusters?format=json"
# Stats that count the hosts of a cluster and include its standby host, and the beginning of the stats of one host.
_COUNTS = ("membership_total", "membership_degraded")
_HOST = ".endpoint."
_METRIC_COUNTS = tuple(f"envoy_cluster_{count}" for count in _COUNTS)
_METRIC_HOST = "envoy_cluster_endpoint_"
# What the parsers raise for a page that is not Envoy's.
_PAGE_ERRORS = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class StandbyHost:
    """A standby host, by the names that it has in stats."""

    cluster: str
    """Name of the cluster in stats."""
    address: str

    @property
    def prefix(self) -> str:
        """Return the beginning of the stats of the host."""
        return f"cluster.{self.cluster}{_HOST}{_sanitized(self.address)}."

    @property
    def counts(self) -> tuple[str, ...]:
        """Return the stats that count the host."""
        return tuple(f"cluster.{self.cluster}.{count}" for count in _COUNTS)

    @property
    def metric_counts(self) -> tuple[str, ...]:
        """Return the series that count the host."""
        return tuple(series(metric, {"envoy_cluster_name": self.cluster}) for metric in _METRIC_COUNTS)


def count_hosts(names: Iterable[str]) -> bool:
    """Return whether some stats or series are about the hosts of a cluster, so that a standby host changes them."""
    return any(
        name.endswith(_COUNTS) or _HOST in name or name.startswith((_METRIC_HOST, *_METRIC_COUNTS))
        for name in names
    )


def without_standby(data: Any, clusters: Collection[str]) -> Any:
    """Return a decoded page /clusters?format=json without the standby hosts of these clusters. Raises ScrapeError."""
    if not isinstance(data, Mapping) or not isinstance(data.get("cluster_statuses"), list):
        return data
    try:
        statuses = [
            {
                **cluster,
                "host_statuses": [one for one in cluster.get("host_statuses", ()) if not _stands_by(one)],
            }
            if isinstance(cluster, Mapping) and cluster.get("name") in clusters
            else cluster
            for cluster in data["cluster_statuses"]
        ]
    except _PAGE_ERRORS as error:
        raise _unparsable(error) from None
    return {**data, "cluster_statuses": statuses}


def standby_hosts(data: Any, clusters: Collection[str]) -> list[StandbyHost]:
    """Return the standby hosts of these clusters in a decoded page /clusters?format=json. Raises ScrapeError."""
    try:
        return [
            StandbyHost(
                _sanitized(cluster.get("observability_name") or cluster["name"]), read_host(host).address
            )
            for cluster in data.get("cluster_statuses", ())
            if cluster["name"] in clusters
            for host in cluster.get("host_statuses", ())
            if _stands_by(host)
        ]
    except _PAGE_ERRORS as error:
        raise _unparsable(error) from None


def leave_out(samples: Samples, hosts: Iterable[StandbyHost]) -> None:
    """Remove standby hosts from the stats or the series of an Envoy: their own stats, and their share of counts."""
    for host in hosts:
        for name in (*host.counts, *host.metric_counts):
            value = samples.values.get(name)
            if isinstance(value, int):
                samples.values[name] = value - 1
        for name in list(_of_host(samples.values, host)):
            del samples.values[name]
            samples.kinds.pop(name, None)


def _of_host(values: Mapping[str, Scalar], host: StandbyHost) -> Iterator[str]:
    for name in values:
        if name.startswith(host.prefix):
            yield name
        elif name.startswith(_METRIC_HOST):
            labels = parse_series(name)[1]
            found = labels.get("envoy_cluster_name"), labels.get("envoy_endpoint_address")
            if found == (host.cluster, host.address):
                yield name


def _stands_by(status: Any) -> bool:
    host = read_host(status)
    return host.priority > 0 and host.eds_health == "DEGRADED"


def _unparsable(error: Exception) -> ScrapeError:
    return ScrapeError("unparsable", f"clusters cannot be parsed ({type(error).__name__}: {error})")


def _sanitized(name: str) -> str:
    """Return a name as it is in the name of a stat, where Envoy replaces each colon."""
    return name.replace(":", "_")
