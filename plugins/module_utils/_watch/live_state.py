# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a running demo at one moment: what the page and the table of a live view show. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_data
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import HOST
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_hosts import (
    ClusterHosts,
    cluster_hosts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.recent_changes import (
    PageChange,
    RecentSnapshots,
    quantiles,
    total,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Topology

UNKNOWN = dict.fromkeys(("rate", "failed_rate", "bytes_rate", "p50_ms", "p99_ms", "open", "hosts"))
LIVE = "LIVE"  # state of an Envoy that serves, as in /server_info


class LiveConnection(TypedDict):
    """The numbers of one row of the topology at which arrows begin. A rate is per second, None is unknown.

    Attributes:
        source: Name of the box and of the row.
        targets: Names of the boxes at which the arrows end.
        rate: Requests; new connections where Envoy does not parse HTTP.
        failed_rate: Responses with a status of 500 and above, and connections that failed.
        bytes_rate: Bytes of the responses.
        p50_ms: Median latency in milliseconds.
        p99_ms: 99th percentile of the latency in milliseconds.
        open: Open connections; None if unknown.
        hosts: Hosts of the cluster; None at a published port.
    """

    source: list[str]
    targets: list[str]
    rate: float | None
    failed_rate: float | None
    bytes_rate: float | None
    p50_ms: float | None
    p99_ms: float | None
    open: int | None
    hosts: ClusterHosts | None


class LiveEnvoy(TypedDict):
    """One Envoy.

    Attributes:
        name: Name of the proxy, or of its pod.
        group: Name of the group.
        state: State of its /server_info; empty if it does not answer.
        version: Version of Envoy.
        uptime: Seconds since its start; None if unknown.
        rate: Requests per second of its listeners.
        open: Open connections of clients.
        updates: Updates of its configuration since its start.
        rejected: Updates that it rejected.
        failure: Why it has no numbers.
    """

    name: str
    group: str
    state: str
    version: str
    uptime: float | None
    rate: float | None
    open: int
    updates: int
    rejected: int
    failure: str


class LiveState(TypedDict):
    """The state of a demo at one moment.

    Attributes:
        time: Seconds since 1970.
        seconds: Seconds that the rates and latencies are about; 0 for the first reading.
        connections: Connections, in the order of the topology.
        envoys: Envoys, those that do not serve first.
        hosts: Hosts of the clusters that have an arrow in the topology.
        rate: Requests per second at the published ports; without any, of all connections.
        failed_rate: Failures of them.
    """

    time: float
    seconds: float
    connections: list[LiveConnection]
    envoys: list[LiveEnvoy]
    hosts: list[ClusterHosts]
    rate: float | None
    failed_rate: float | None


def live_state(topology: Topology, groups: Mapping[str, str], recent: RecentSnapshots) -> LiveState:
    """Return the state of a demo.

    Args:
        topology: The topology of the plan.
        groups: The group of each proxy, by the name of its entry in the plan's endpoints.
        recent: The snapshots of the last seconds.
    """
    changes = recent.changes()
    by_group: dict[str, list[PageChange]] = {}
    for change in changes.values():
        by_group.setdefault(_group(change.page, groups), []).append(change)
    silent = {_group(page, groups) for page in recent.newest.pages.values()} - by_group.keys()
    connections = list(_connections(topology, by_group, silent))
    published = [one for one in connections if one["source"][0] == HOST]
    entries = published or connections
    envoys = [
        _envoy(page, _group(page, groups), changes.get(name)) for name, page in recent.newest.pages.items()
    ]
    state: LiveState = {
        "time": recent.newest.time,
        "seconds": max((one.seconds for one in changes.values()), default=0.0),
        "connections": connections,
        "envoys": sorted(envoys, key=lambda one: one["state"] == LIVE),
        "hosts": [one["hosts"] for one in connections if one["hosts"]],
        "rate": total(one["rate"] for one in entries),
        "failed_rate": total(one["failed_rate"] for one in entries),
    }
    return cast(LiveState, printable_data(state))


def _group(page: Page, groups: Mapping[str, str]) -> str:
    return groups.get(page.group or page.name, page.group or page.name)


def _connections(
    topology: Topology, by_group: Mapping[str, Sequence[PageChange]], silent: Collection[str]
) -> Iterator[LiveConnection]:
    """Yield the connections with numbers. Those of groups whose Envoys do not answer have unknown ones, so that the picture stays."""
    targets: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for arrow in topology["arrows"]:
        if not arrow["stats"]:
            source = (arrow["source"][0], arrow["source"][1])
            targets.setdefault(source, []).append((arrow["target"][0], arrow["target"][1]))
    for (box, row), ends in targets.items():
        boxes = list(dict.fromkeys(end[0] for end in ends))
        counts = ends[0][0] if box == HOST else box
        if counts in silent:
            found: Mapping[str, Any] | None = UNKNOWN
        elif box == HOST:
            found = _at_listener(by_group.get(counts, ()), ends[0][1])
        else:
            found = _of_cluster(by_group.get(counts, ()), box, row)
        if found is not None:
            yield cast(LiveConnection, {"source": [box, row], "targets": boxes, **found})


def _of_cluster(changes: Sequence[PageChange], group: str, cluster: str) -> dict[str, Any] | None:
    """Return the numbers of a cluster of all Envoys of a group; None if no Envoy has this cluster."""
    known = [one for one in changes if f"{cluster}.hosts" in one.page.sources["clusters"].values]
    if not known:
        return None
    start = f"cluster.{cluster.replace(':', '_')}.upstream_"
    is_http = any(one.value(f"{start}rq_total") for one in known)
    p50, p99 = quantiles(one.latencies(f"{start}rq_time") for one in known)
    return {
        "rate": _sum(known, f"{start}{'rq' if is_http else 'cx'}_total"),
        "failed_rate": _sum(known, f"{start}rq_5xx", f"{start}cx_connect_fail"),
        "bytes_rate": _sum(known, f"{start}cx_rx_bytes_total"),
        "p50_ms": p50,
        "p99_ms": p99,
        "open": int(sum(one.value(f"{start}cx_active") for one in known)),
        "hosts": cluster_hosts(group, cluster, [one.page for one in known]),
    }


def _at_listener(changes: Sequence[PageChange], listener: str) -> dict[str, Any] | None:
    """Return the numbers of a listener of all Envoys of a group; None if no Envoy has this listener."""
    known = [(one, start) for one in changes if (start := _listener_prefix(one.page, listener))]
    if not known:
        return None
    rates, failed, sent, latencies = [], [], [], []
    for change, start in known:
        requests = list(change.names(f"{start}http.", ".downstream_rq_completed"))
        rates += [change.rate(one) for one in requests or [f"{start}downstream_cx_total"]]
        failed += [change.rate(one) for one in change.names(f"{start}http.", ".downstream_rq_5xx")]
        for one in requests:
            manager = one.removeprefix(start).rpartition(".")[0]
            sent.append(change.rate(f"{manager}.downstream_cx_tx_bytes_total"))
            latencies.append(change.latencies(f"{manager}.downstream_rq_time"))
    p50, p99 = quantiles(latencies)
    return {
        "rate": total(rates),
        "failed_rate": total(failed) if failed else (0.0 if total(rates) is not None else None),
        "bytes_rate": total(sent),
        "p50_ms": p50,
        "p99_ms": p99,
        "open": int(sum(change.value(f"{start}downstream_cx_active") for change, start in known)),
        "hosts": None,
    }


def _listener_prefix(page: Page, listener: str) -> str:
    """Return the start of the stats of a listener, which have its address; empty if the Envoy has no such listener."""
    address = page.sources["listeners"].values.get(f"{listener}.address")
    return f"listener.{str(address).replace(':', '_')}." if address else ""


def _sum(changes: Iterable[PageChange], *stats: str) -> float | None:
    return total(one.rate(stat) for one in changes for stat in stats)


def _envoy(page: Page, group: str, change: PageChange | None) -> LiveEnvoy:
    identity = page.identity
    found: LiveEnvoy = {
        "name": page.name,
        "group": group,
        "state": (identity.state if identity else LIVE) if change else "",
        "version": identity.version if identity else "",
        "uptime": identity.uptime if identity else None,
        "rate": None,
        "open": 0,
        "updates": 0,
        "rejected": 0,
        "failure": page.failure.message.rstrip(".") if page.failure else "",
    }
    if change is None:
        return found
    listeners = [one for one in change.names("listener.", ".downstream_cx_active") if _is_of_demo(one)]
    requests = [
        one for one in change.names("listener.", ".downstream_rq_completed") if ".http.admin." not in one
    ]
    found["rate"] = total(change.rate(one) for one in requests)
    found["open"] = int(sum(change.value(one) for one in listeners))
    found["updates"] = int(sum(change.value(one) for one in change.names("", ".update_success")))
    found["rejected"] = int(sum(change.value(one) for one in change.names("", ".update_rejected")))
    return found


def _is_of_demo(stat: str) -> bool:
    """Return whether a stat is of a listener as a whole: not of the admin interface, and not of one worker."""
    return not stat.startswith("listener.admin.") and ".worker_" not in stat
