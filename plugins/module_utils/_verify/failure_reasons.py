# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why expectations failed: the requests in the access logs, workloads that are not ready, services without replicas."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.access_log import (
    LoggedRequest,
    parse_lines,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import Observer
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import Status
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import TrafficResult

Entry = Mapping[str, Any]
Group = tuple[str, int, str]  # proxy, status, reason
FIRST_ERROR = 400  # status
# Part of Envoy's text for a certificate that it does not accept.
VERIFY_FAILED = "CERTIFICATE_VERIFY_FAILED"
MOST_REASONS = 5
# Seconds until the access logs contain the requests: Envoy writes each 0.5 s, and a log driver can be slower.
LOG_TIMEOUT = 2.0
# Seconds that the clock of the log can differ from the clock of this host.
CLOCK_TOLERANCE = 0.05


@dataclass(frozen=True)
class SentTraffic:
    """One traffic that was sent: its entry in the plan, its result, and when it began and ended, in seconds since the epoch."""

    entry: Entry
    result: TrafficResult
    began: float
    ended: float

    @property
    def failed(self) -> bool:
        """Return whether one of its expectations does not hold."""
        return any(not outcome["ok"] for outcome in self.result["expect"])

    @property
    def unexplained(self) -> dict[int, int]:
        """Return the number of responses by status: those that no expectation is about, or all if there are none of these."""
        statuses = {int(status): count for status, count in self.result["statuses"].items()}
        unexpected = {status: count for status, count in statuses.items() if not self._expects(status)}
        return unexpected or statuses

    def contains(self, request: LoggedRequest) -> bool:
        """Return whether a logged request has the path of this traffic and began while it was sent."""
        url = urlsplit(str(self.entry.get("url") or ""))
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if request.path != path or request.started is None:
            return False
        return self.began - CLOCK_TOLERANCE <= request.started <= self.ended + CLOCK_TOLERANCE

    def _expects(self, status: int) -> bool:
        expected = [str(one["status"]) for one in self.entry.get("expect") or () if "status" in one]
        return str(status) in expected or f"{status // 100}xx" in expected


@dataclass(frozen=True)
class Evidence:
    """What is read to explain failed expectations.

    Attributes:
        observer: Reads the logs.
        proxies: The name of the workload of each proxy.
        unready: The status of each workload that was not ready before the traffic.
        without_replicas: The names of services without replicas.
        trust: The certificates that each cluster accepts, as text, by proxy and cluster.
    """

    observer: Observer | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    unready: Mapping[str, Status] = field(default_factory=dict)
    without_replicas: Sequence[str] = ()
    trust: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def reason(self, request: LoggedRequest) -> str:
        """Return the reason of a request; for a certificate that was not accepted, with what the cluster accepts."""
        accepted = self.trust.get(request.proxy, {}).get(request.cluster)
        if VERIFY_FAILED not in request.reason or accepted is None:
            return request.reason
        return f"{request.reason}, which accepts {accepted}"


def failure_reasons(
    sent: Sequence[SentTraffic], evidence: Evidence, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """Return one line for each reason, the most specific first.

    Args:
        sent: The traffic of the verification, of which an expectation or an assertion failed.
        evidence: What is read to explain that.
        sleep: Waits for a number of seconds; a test replaces it.
    """
    lines = [f"service {name} has 0 replicas" for name in evidence.without_replicas]
    lines += [f"{name} was not ready: {status.reason}" for name, status in evidence.unready.items()]
    lines += _from_logs(sent, evidence, sleep)
    more = len(lines) - MOST_REASONS
    return [*lines[:MOST_REASONS], f"and {more} more"] if more > 0 else lines


def _from_logs(sent: Sequence[SentTraffic], evidence: Evidence, sleep: Callable[[float], None]) -> list[str]:
    explained = [one for one in sent if one.failed and one.unexplained] or [
        one for one in sent if any(status >= FIRST_ERROR for status in one.unexplained)
    ]
    if evidence.observer is None or not evidence.proxies or not explained:
        return []
    began = min(one.began for one in explained)
    groups: list[Counter[Group]] = []
    for left in attempts(LOG_TIMEOUT, first_pause=0.1, longest_pause=0.5, sleep=sleep):
        lines = evidence.observer.recent_log_lines(
            tuple(evidence.proxies.values()), began - CLOCK_TOLERANCE, max(left, 1.0)
        )
        requests = [
            request
            for proxy, workload in evidence.proxies.items()
            for request in parse_lines(proxy, lines.get(workload, ()))
        ]
        groups = [_grouped(one, requests, evidence) for one in explained]
        if all(_is_complete(one, group) for one, group in zip(explained, groups)):
            break
    return [
        f"traffic {one.result['name']}: {count} × {status} at {proxy}: {reason}"
        for one, group in zip(explained, groups)
        for (proxy, status, reason), count in group.most_common()
        if reason
    ]


def _grouped(sent: SentTraffic, requests: Sequence[LoggedRequest], evidence: Evidence) -> Counter[Group]:
    statuses = sent.unexplained
    own = [one for one in requests if one.status in statuses and sent.contains(one)]
    return Counter((one.proxy, one.status, evidence.reason(one)) for one in own)


def _is_complete(sent: SentTraffic, groups: Counter[Group]) -> bool:
    """Return whether one proxy has logged each response."""
    logged: Counter[str] = Counter()
    for (proxy, _status, _reason), count in groups.items():
        logged[proxy] += count
    return max(logged.values(), default=0) >= sum(sent.unexplained.values())
