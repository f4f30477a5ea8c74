# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the clusters of all proxies forwarded during a verification: the numbers of the connections inside a demo."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.scrape import scrape
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Histogram,
    HistogramError,
    merge,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Selection,
    Snapshot,
)

TIMEOUT = 5.0  # seconds for one reading: a proxy that does not answer has no numbers
REQUESTS, ERRORS, CONNECTIONS = "upstream_rq_total", "upstream_rq_5xx", "upstream_cx_total"
REFUSED, BYTES, LATENCY = "upstream_cx_connect_fail", "upstream_cx_rx_bytes_total", "upstream_rq_time"
COMPLETED = "upstream_rq_completed"
_STATS = "|".join([REQUESTS, ERRORS, CONNECTIONS, REFUSED, BYTES, LATENCY, COMPLETED])
# Seconds that Envoy has to update its histograms. It does so at each flush: every 0.1 s in a generated bootstrap, every second
# with sinks.
FLUSH_TIMEOUT = 2.2
FIRST_FLUSH_PAUSE, LONGEST_FLUSH_PAUSE = 0.02, 0.05
# Envoy updates these at each flush, too. So their change ends the wait for requests that have no latency.
FLUSHED = ("server.uptime", "server.memory_allocated", "server.memory_physical_size")
_FLUSHED = "|".join(map(re.escape, FLUSHED))
# A flush that began before the last request can end after the snapshot. Its histograms lack that request, those of the next one do not.
FLUSHES = 2
_QUERY = Query(
    {
        "stats": Selection(
            patterns=(compile_pattern(rf"cluster\..+\.(?:{_STATS})|{_FLUSHED}", "clusters"),),
            usedonly=True,
        )
    },
    histograms=True,
    identity=False,
)


class ClusterCounts(TypedDict):
    """What one cluster of the proxies of a group forwarded."""

    group: str
    cluster: str
    requests: int  # connections of a cluster without HTTP
    failed: int  # responses with a status of 500 and above, and connections that failed
    bytes: int  # received from the upstream
    p50_ms: float | None  # None: Envoy has not updated its histograms since the traffic
    p99_ms: float | None


def read_clusters(endpoints: Sequence[Endpoint]) -> Snapshot | None:
    """Return the stats of the clusters of all Envoys; None if there are none."""
    envoys = [one for one in endpoints if one.format == "envoy"]
    return scrape(envoys, _QUERY, timeout=TIMEOUT) if envoys else None


def with_latencies(
    before: Snapshot | None,
    after: Snapshot | None,
    read: Callable[[Collection[str]], Snapshot | None],
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot | None:
    """Return the snapshot after the traffic with the latencies of the traffic, for which it waits for a flush of each Envoy.

    Args:
        before: Snapshot before the traffic.
        after: Snapshot after it. Its counters stay: the reading itself is a request, too.
        read: Returns a new snapshot of these endpoints, by the names of their entries.
        sleep: Waits for a number of seconds; a test replaces it.
    """
    if before is None or after is None:
        return after
    pages = dict(after.pages)
    flushes: Counter[str] = Counter()
    pending = {name for name, page in pages.items() if _lacks_latencies(before.pages.get(name), page, page)}
    for _left in attempts(
        FLUSH_TIMEOUT, first_pause=FIRST_FLUSH_PAUSE, longest_pause=LONGEST_FLUSH_PAUSE, sleep=sleep
    ):
        if not pending:
            break
        later = read({pages[name].group or name for name in pending})
        for name in [*pending]:
            page = later.pages.get(name) if later else None
            old, new = _stats(pages[name]), _stats(page) if page else None
            if page is None or old is None or new is None:
                pending.discard(name)
                continue
            flushes[name] += any(old.values.get(stat) != new.values.get(stat) for stat in FLUSHED)
            updated = {stat: new.values[stat] for stat in FLUSHED if stat in new.values}
            samples = replace(old, values={**old.values, **updated}, histograms=new.histograms)
            pages[name] = replace(pages[name], sources={"stats": samples})
            if flushes[name] >= FLUSHES or not _lacks_latencies(
                before.pages.get(name), after.pages[name], page
            ):
                pending.discard(name)
    return replace(after, pages=pages)


def _lacks_latencies(before: Page | None, after: Page, latest: Page) -> bool:
    """Return whether a cluster with requests between two pages has completed more than the latest page has latencies of."""
    now, known = _stats(after), _stats(latest)
    earlier = _stats(before) if before else None
    if now is None or known is None:
        return False
    for stat, value in now.values.items():
        cluster, _dot, what = stat.rpartition(".")
        if what != COMPLETED or not isinstance(value, (int, float)):
            continue
        histogram = known.histograms.get(f"{cluster}.{LATENCY}")
        is_used = earlier is None or value != earlier.values.get(stat, 0)
        if is_used and value > (histogram.count if histogram else 0):
            return True
    return False


def cluster_counts(
    before: Snapshot | None, after: Snapshot | None, groups: Mapping[str, str]
) -> list[ClusterCounts]:
    """Return what each cluster forwarded between two snapshots.

    Args:
        before: Snapshot before the traffic.
        after: Snapshot after it.
        groups: The group of each endpoint, by the name of its entry.
    """
    if before is None or after is None:
        return []
    counts: dict[tuple[str, str], dict[str, float]] = {}
    latencies: dict[tuple[str, str], list[Histogram]] = {}
    for name, page in after.pages.items():
        group, now = groups.get(page.group or name), _stats(page)
        if group is None or now is None:
            continue
        earlier = _stats(before.pages[name]) if name in before.pages else None
        for stat, value in now.values.items():
            if not stat.startswith("cluster."):
                continue
            cluster, _dot, what = stat.removeprefix("cluster.").rpartition(".")
            since = earlier.values.get(stat, 0) if earlier else 0
            if isinstance(value, (int, float)) and isinstance(since, (int, float)):
                found = counts.setdefault((group, cluster), {})
                # A proxy that restarted counts from 0.
                found[what] = found.get(what, 0) + (value - since if value >= since else value)
        for stat, histogram in now.histograms.items():
            cluster = stat.removeprefix("cluster.").rpartition(".")[0]
            latencies.setdefault((group, cluster), []).append(
                _since(histogram, earlier.histograms.get(stat) if earlier else None)
            )
    return [_entry(key, counts[key], latencies.get(key, [])) for key in sorted(counts)]


def _stats(page: Page) -> Samples | None:
    return page.sources.get("stats") if page.failure is None else None


def _since(histogram: Histogram, earlier: Histogram | None) -> Histogram:
    try:
        return histogram.minus(earlier) if earlier else histogram
    except HistogramError:  # the proxy restarted
        return histogram


def _entry(key: tuple[str, str], found: Mapping[str, float], latencies: Sequence[Histogram]) -> ClusterCounts:
    requests = found.get(REQUESTS, 0) or found.get(CONNECTIONS, 0)
    latency = merge(latencies)
    quantiles = [latency.quantile(share) if latency.count else None for share in (0.5, 0.99)]
    p50, p99 = (None if one is None else round(one.value, 3) for one in quantiles)
    return {
        "group": key[0],
        "cluster": key[1],
        "requests": int(requests),
        "failed": int(found.get(ERRORS, 0) + found.get(REFUSED, 0)),
        "bytes": int(found.get(BYTES, 0)),
        "p50_ms": p50,
        "p99_ms": p99,
    }
