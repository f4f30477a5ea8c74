# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of the arrows of a topology: those of the client at published ports, and those of Envoy's clusters. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import HOST
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    Connection,
    SentTraffic,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Topology

FIRST_FAILURE = 500  # status


def connections_of(
    plan: Mapping[str, Any], traffic: Sequence[SentTraffic], clusters: Iterable[Mapping[str, Any]]
) -> list[Connection]:
    """Return the numbers of each row of the plan's topology at which an arrow begins.

    Args:
        plan: The plan.
        traffic: The traffic that was sent.
        clusters: What the clusters forwarded, as demo_verify returns it.
    """
    topology: Topology | None = plan.get("topology")
    if not topology:
        return []
    rows = {(one["source"][0], one["source"][1]) for one in topology["arrows"]}
    found = _of_clients(topology, traffic)
    for one in clusters:
        for row in rows:
            if row[0] == one["group"] and row[1].replace(":", "_") == one["cluster"]:
                numbers = {key: one[key] for key in ("requests", "failed", "bytes", "p50_ms", "p99_ms")}
                found.append({"source": list(row), **numbers})  # type: ignore[typeddict-item]
    return found


def _of_clients(topology: Topology, traffic: Sequence[SentTraffic]) -> list[Connection]:
    """Return the numbers of published ports: the sum of the traffic to each of them."""
    ports = {tuple(one["target"]): one["source"] for one in topology["arrows"] if one["source"][0] == HOST}
    by_port: dict[tuple[str, ...], list[SentTraffic]] = {}
    for entry in traffic:
        target = tuple(topology["traffic"].get(entry["name"]) or ())
        if target in ports:
            by_port.setdefault(target, []).append(entry)
    return [
        {
            "source": list(ports[target]),
            "requests": sum(one["sent"] for one in entries),
            "failed": sum(failures(one) for one in entries),
            "bytes": sum(one["bytes_received"] for one in entries),
            "p50_ms": quantile_of(entries, 0.5),
            "p99_ms": quantile_of(entries, 0.99),
        }
        for target, entries in by_port.items()
    ]


def failures(traffic: SentTraffic) -> int:
    """Return the number of requests without a response, or with a status of 500 and above."""
    refused = sum(count for status, count in traffic["statuses"].items() if int(status) >= FIRST_FAILURE)
    return sum(traffic["errors"].values()) + refused


def quantile_of(entries: Sequence[SentTraffic], share: float) -> float | None:
    """Return a quantile of the latency: the measured one of a single traffic, or else the bound of its bucket."""
    if len(entries) == 1:
        return entries[0]["latency_ms"].get(f"p{share * 100:g}")
    buckets = sorted((bound, count) for one in entries for bound, count in one["latency_histogram"])
    rank = share * sum(count for _bound, count in buckets)
    before = 0.0
    for bound, count in buckets:
        before += count
        if before >= rank:
            return bound
    return None
