# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a snapshot, send traffic and evaluate assertions: the work of the module demo_verify, without Ansible."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import EndpointData, Outcome
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    required_queries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import VerdictData
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import wait_for
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.scrape import scrape
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.schedule import TrafficSignals
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    TrafficResult,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.cluster_counts import (
    ClusterCounts,
    cluster_counts,
    read_clusters,
    with_latencies,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_reasons import (
    Evidence,
    SentTraffic,
    failure_reasons,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.logged_flags import FlagReader

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
        AdminEndpoint,
        StatsEndpoint,
    )
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import Observer

Entry = Mapping[str, Any]
# Seconds until name resolution in a cluster includes pods that are ready: stock CoreDNS caches an answer for 30 s.
NAME_RESOLUTION_TIMEOUT = 60.0
# Seconds during which an endpoint that does not answer is read again.
SLOW_ENDPOINT_TIMEOUT = 60.0
# Seconds until the workloads are ready: the commands of rendered documents return before that.
READINESS_TIMEOUT = 60.0


class VerificationResult(TypedDict):
    """What came of a verification, as the module demo_verify returns it."""

    traffic: list[TrafficResult]
    assertions: list[VerdictData]
    endpoints: list[EndpointData]
    reasons: list[str]  # of failed expectations, for the report
    clusters: list[ClusterCounts]
    began: float  # seconds since 1970
    elapsed: float  # seconds


@dataclass(frozen=True)
class Verification:
    """What is sent and what is expected, as plain data from a plan."""

    endpoints: Sequence[StatsEndpoint]
    traffic: Sequence[Entry]
    assertions: Sequence[Entry]
    access: PodAccess | None = None  # to the cluster of endpoints or traffic that select pods
    admins: Sequence[
        AdminEndpoint
    ] = ()  # of proxies in pods, with the hosts that each proxy has to find by name
    observer: Observer | None = None  # of the workloads that have to be ready before the traffic
    without_replicas: Sequence[str] = ()  # services
    trust: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # as text, by proxy and cluster
    groups: Mapping[str, str] = field(default_factory=dict)  # the group of each proxy in `endpoints`
    flags: FlagReader = field(default_factory=FlagReader)  # reads the response flags of traffic

    def parse(self) -> list[Traffic]:
        """Return the traffic. Raises ArgumentError for anything that cannot be sent, read or evaluated."""
        value_references.check_references(self.assertions, self.traffic)
        parse_assertions([value_references.with_placeholder(entry) for entry in self.assertions])
        self.parse_endpoints()
        return parse_traffic(self.traffic, self.access)

    def parse_endpoints(self) -> list[Endpoint]:
        """Return the endpoints: none for a demo without stats and without expectations about them. Raises ArgumentError."""
        if not self.endpoints and not self.assertions:
            return []
        return parse_endpoints(self.endpoints, cluster=self.access)


# Follows a traffic while it flows.
Follow = Callable[[Traffic], AbstractContextManager[TrafficSignals]]


def verify(
    verification: Verification,
    timeout: float,
    sleep: float,
    progress: Progress = no_progress,
    follow: Follow | None = None,
    has_report: bool = False,
) -> VerificationResult:
    """Wait for the workloads, take a snapshot, send the traffic, and evaluate the assertions from that snapshot on.

    Args:
        verification: What is sent and what is expected. Everything is parsed before the first request.
        timeout: Number of seconds that the assertions have to become true after the traffic.
        sleep: Number of seconds between two attempts.
        progress: Receives what the verification does or waits for.
        follow: Returns the signals of each traffic for the time in which it flows, for example to show its counts.
        has_report: Whether the result is shown in a report, with the latencies of connections inside the demo.

    Returns:
        What came of each traffic, each assertion and each endpoint. An expectation that fails is a result, not an error.

    Raises:
        ArgumentError: The verification has an entry that cannot be sent, read or evaluated.

    Example:
        >>> traffic = {"name": "closed", "url": "http://127.0.0.1:1/", "expect": [{"error": "connect", "op": "eq", "value": 1}]}
        >>> endpoint = {"name": "edge", "url": "http://127.0.0.1:1"}
        >>> result = verify(Verification([endpoint], [traffic], []), timeout=1, sleep=0.1)
        >>> result["traffic"][0]["expect"][0]["message"]
        'expected 1, got 1 (connect errors of traffic closed)'
    """
    began, started = time.monotonic(), time.time()
    traffic = verification.parse()
    observer = verification.observer
    unready = observer.wait_until_settled(READINESS_TIMEOUT, progress) if observer is not None else {}
    _wait_for_name_resolution(verification, sleep, progress)
    before = _snapshot(verification)
    endpoints = verification.parse_endpoints() if verification.groups else []
    clusters_before = read_clusters(endpoints)
    sent = []
    for number, (entry, each) in enumerate(zip(verification.traffic, traffic), 1):
        progress(f"sending traffic {each.name} ({number} of {len(traffic)})")
        sent.append(_send(entry, verification.flags.marked(each), progress, follow, verification.flags))
    results = [one.result for one in sent]
    outcome = _evaluate(verification, results, before, timeout, sleep, progress)
    data = outcome.as_data() if outcome is not None else None
    clusters_after = read_clusters(endpoints)
    if has_report:
        progress("waiting until the proxies update their latencies")
        clusters_after = with_latencies(
            clusters_before, clusters_after, lambda names: read_clusters(_entries(endpoints, names))
        )
    clusters = cluster_counts(clusters_before, clusters_after, verification.groups)
    reasons: list[str] = []
    if any(one.failed for one in sent) or (outcome is not None and outcome.failed):
        proxies = {admin["proxy"]: admin["workload"] for admin in verification.admins}
        evidence = Evidence(observer, proxies, unready, verification.without_replicas, verification.trust)
        reasons = failure_reasons(sent, evidence)
    return {
        "traffic": results,
        "assertions": data["assertions"] if data else [],
        "endpoints": data["endpoints"] if data else [],
        "reasons": reasons,
        "clusters": clusters,
        "began": round(started, 3),
        "elapsed": round(time.monotonic() - began, 3),
    }


def _send(
    entry: Entry, traffic: Traffic, progress: Progress, follow: Follow | None, flags: FlagReader
) -> SentTraffic:
    began = time.time()
    read_flags = flags.reader(traffic)
    with follow(traffic) if follow is not None else nullcontext() as signals:
        result = send_traffic(traffic, signals, progress, read_flags)
    return SentTraffic(entry, result, began, time.time())


def _wait_for_name_resolution(verification: Verification, sleep: float, progress: Progress) -> None:
    """Wait until each proxy in a pod has found all hosts of its clusters, because `kubectl apply` does not wait for that.

    Hosts that are not found in time make the expectations fail.
    """
    assertions = [
        {
            "endpoint": [admin["proxy"]],
            "stat": f"cluster.{name.replace(':', '_')}.membership_total",
            "op": "eq",
            "value": members["hosts"],
        }
        for admin in verification.admins
        for name, members in (admin.get("members") or {}).items()
    ]
    if assertions:
        wait_for(
            verification.parse_endpoints(),
            parse_assertions(assertions),
            timeout=NAME_RESOLUTION_TIMEOUT,
            sleep=sleep,
            progress=progress,
        )


def _snapshot(verification: Verification) -> Snapshot | None:
    """Return a snapshot of the endpoints. Endpoints that do not answer in time are read again; those that refuse are not."""
    if not verification.assertions:
        return None
    endpoints = verification.parse_endpoints()
    assertions = parse_assertions(
        [value_references.with_placeholder(entry) for entry in verification.assertions]
    )
    queries = required_queries(assertions, endpoints)
    snapshot = scrape(endpoints, queries)
    for _left in attempts(SLOW_ENDPOINT_TIMEOUT):
        slow = _slow_entries(snapshot)
        if not slow:
            break
        again = scrape(_entries(endpoints, slow), queries)
        kept = {name: page for name, page in snapshot.pages.items() if _entry_name(page) not in slow}
        snapshot.pages = {**kept, **again.pages}
    return snapshot


def _entries(endpoints: Sequence[Endpoint], names: Collection[str]) -> list[Endpoint]:
    return [endpoint for endpoint in endpoints if endpoint.name in names]


def _slow_entries(snapshot: Snapshot) -> set[str]:
    """Return the entries of `endpoints` with an endpoint that did not answer in time; an entry can be several pods."""
    return {
        _entry_name(page)
        for page in snapshot.pages.values()
        if page.failure and page.failure.kind == "timeout"
    }


def _entry_name(page: Page) -> str:
    return page.group or page.name


def _evaluate(
    verification: Verification,
    results: Sequence[TrafficResult],
    before: Snapshot | None,
    timeout: float,
    sleep: float,
    progress: Progress,
) -> Outcome | None:
    if before is None:
        return None
    assertions = parse_assertions(value_references.resolve_references(verification.assertions, results))
    for _left in attempts(SLOW_ENDPOINT_TIMEOUT):
        outcome = wait_for(
            verification.parse_endpoints(),
            assertions,
            since=before,
            timeout=timeout,
            sleep=sleep,
            progress=progress,
        )
        # An endpoint that did not answer during the whole timeout has not shown its numbers yet.
        if not any(verdict.failure and verdict.failure.kind == "timeout" for verdict in outcome.failed):
            break
    return outcome
