# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count answers: one tally for each sender, added up at the end."""

from __future__ import annotations

import math
import time
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.body_sample import MAX_SAMPLES
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import field_values
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.hdr_histogram import hdr_histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.latency_histogram import (
    latency_histogram,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.result_data import ResultData
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.timeline import (
    NO_VALUE,
    Timeline,
    joined,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.value_counts import (
    capped,
    count_value,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

MAX_VALUES = 50  # different values of a header in a result
MAX_HOSTS = 1000
_ROUNDING = 1e-9  # so that 0.1 × 10 answers are 1 answer


class Tally:
    """The answers and errors of one sender so far."""

    def __init__(self, traffic: Traffic, began: float | None = None) -> None:
        """Count from a time of the monotonic clock; None: from now."""
        expected = [
            expectation.header.name for expectation in traffic.expect if expectation.header is not None
        ]
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.headers: dict[str, Counter[str]] = {
            name: Counter() for name in dict.fromkeys(["server", *expected])
        }
        self.hosts: Counter[str] = Counter()
        self.tls: Counter[str] = Counter()
        self.grpc_statuses: Counter[str] = Counter()
        self.messages = 0
        self.trailers: dict[str, Counter[str]] = {
            expectation.trailer.name: Counter()
            for expectation in traffic.expect
            if expectation.trailer is not None
        }
        self.redirects = 0  # that were followed
        self.latencies = array("d")  # seconds, one for each answer
        self.bytes_received = 0
        self.matched = [0] * len(traffic.expect)  # answers that a header, body or tls expectation counts
        self.last_error = ""
        self.timeline = Timeline()
        self._began = time.monotonic() if began is None else began
        self._shares = tuple(name for name in self.headers if name != "server")
        self.bodies: dict[int, bytes] = {}  # the start of the first body with each status
        self.unmatched: dict[
            int, bytes
        ] = {}  # the start of the first body that an expectation does not match
        self._traffic = traffic
        self._matchers = [
            (
                position,
                expectation.header or expectation.trailer,
                expectation.body,
                expectation.tls,
                expectation.trailer is not None,
            )
            for position, expectation in enumerate(traffic.expect)
            if expectation.counts_matches
        ]

    def answer(self, answer: Answer, seconds: float) -> None:
        """Count an answer that took this many seconds."""
        traffic = self._traffic
        self.sent += 1
        self.latencies.append(seconds)
        self.bytes_received += answer.size
        self.redirects += answer.redirects
        shares = {name: answer.headers.get(name, NO_VALUE) for name in self._shares}
        self.timeline.answer(time.monotonic() - self._began, answer.status, shares)
        if answer.status is not None:
            self.statuses[answer.status] += 1
            if len(self.bodies) < MAX_SAMPLES:
                self.bodies.setdefault(answer.status, answer.body)
        for name, values in self.headers.items():
            value = answer.headers.get(name)
            for one in () if value is None else field_values(value):
                count_value(values, one, MAX_VALUES)
        for name, values in self.trailers.items():
            if name in answer.trailers:
                count_value(values, answer.trailers[name], MAX_VALUES)
        if answer.grpc_status:
            self.grpc_statuses[answer.grpc_status] += 1
            self.messages += answer.messages
        host = answer.host
        if host is None and traffic.host_header is not None:
            host = answer.headers.get(traffic.host_header)
        text: str | None = None
        if host is None and traffic.host_body is not None:
            text = answer.body.decode("utf-8", "replace")
            found = traffic.host_body.search(text)
            if found is not None:
                host = found[1] if traffic.host_body.groups else found[0]
        if host is not None:
            count_value(self.hosts, host, MAX_HOSTS)
        if answer.tls is not None:
            count_value(self.tls, answer.tls.text, MAX_VALUES)
        for position, header, body, session, in_trailers in self._matchers:
            if header is not None:
                fields = answer.trailers if in_trailers else answer.headers
                self.matched[position] += header.matches(fields.get(header.name))
            elif session is not None:
                self.matched[position] += session.matches(answer.tls)
            elif body is not None:
                text = answer.body.decode("utf-8", "replace") if text is None else text
                matches = body.search(text) is not None
                self.matched[position] += matches
                if not matches:
                    self.unmatched.setdefault(position, answer.body)

    def failure(self, failure: RequestError) -> None:
        """Count a request without a complete answer."""
        self.sent += 1
        self.timeline.failure(time.monotonic() - self._began)
        self.errors[failure.kind] += 1
        self.last_error = f"{failure.kind}: {failure}"


class Sent(NamedTuple):
    """What a process has sent, before it is compared with the expectations."""

    tally: Tally
    elapsed: float  # seconds
    connections: int
    retries: int
    began: float = 0.0  # seconds since 1970


@dataclass
class Result:
    """What came of one traffic."""

    name: str
    url: str
    sent: int
    statuses: dict[str, int]
    errors: dict[str, int]
    headers: dict[str, dict[str, int]]
    hosts: dict[str, int]
    tls: dict[str, int]  # answers by the session of their connection
    latencies: list[float]  # milliseconds, in ascending order
    bytes_received: int
    matched: list[int]  # for each expectation of the traffic
    connections: int
    retries: int
    elapsed: float  # seconds
    last_error: str
    timeline: Timeline = field(default_factory=Timeline)
    began: float = 0.0  # seconds since 1970
    grpc_statuses: dict[str, int] = field(default_factory=dict)
    messages: int = 0
    redirects: int = 0
    response_flags: Mapping[str, int] | None = None  # None: no access log was read
    trailers: dict[str, dict[str, int]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)  # the start of the first body with each status
    unmatched: dict[int, bytes] = field(default_factory=dict)  # and of the first that an expectation refuses

    @property
    def answered(self) -> int:
        """How many requests have a complete answer."""
        return len(self.latencies)

    def quantile(self, quantile: float) -> float | None:
        """Return the latency in milliseconds that this share of the answers did not exceed (nearest rank)."""
        if not self.latencies:
            return None
        return self.latencies[max(0, math.ceil(quantile * len(self.latencies) - _ROUNDING) - 1)]

    def as_data(self) -> ResultData:
        """Return the result as plain data."""
        latencies = self.latencies
        summary = {
            "min": self.quantile(0.0),
            "mean": sum(latencies) / len(latencies) if latencies else None,
            "p50": self.quantile(0.5),
            "p90": self.quantile(0.9),
            "p99": self.quantile(0.99),
            "max": self.quantile(1.0),
        }
        return {
            "name": self.name,
            "url": self.url,
            "sent": self.sent,
            "answered": self.answered,
            "statuses": self.statuses,
            "errors": self.errors,
            "headers": self.headers,
            "hosts": self.hosts,
            "tls": self.tls,
            "grpc_statuses": self.grpc_statuses,
            "messages": self.messages,
            "redirects": self.redirects,
            "response_flags": None if self.response_flags is None else dict(self.response_flags),
            "trailers": self.trailers,
            "latency_ms": {key: None if value is None else round(value, 3) for key, value in summary.items()},
            "latency_histogram": latency_histogram(latencies),
            "hdr_histogram": hdr_histogram(latencies),
            "timeline": self.timeline.as_data(),
            "began": round(self.began, 3),
            "bytes_received": self.bytes_received,
            "connections": self.connections,
            "retries": self.retries,
            "elapsed": round(self.elapsed, 6),
            "last_error": self.last_error,
        }


def add_up(
    traffic: Traffic,
    tallies: Sequence[Tally],
    elapsed: float,
    connections: int = 0,
    retries: int = 0,
    began: float = 0.0,
) -> Result:
    """Return the sum of the tallies of all senders."""
    total = Tally(traffic)
    for tally in tallies:
        total.sent += tally.sent
        total.statuses.update(tally.statuses)
        total.errors.update(tally.errors)
        for name, values in tally.headers.items():
            total.headers[name].update(values)
        total.hosts.update(tally.hosts)
        total.tls.update(tally.tls)
        total.grpc_statuses.update(tally.grpc_statuses)
        total.messages += tally.messages
        total.redirects += tally.redirects
        for name, values in tally.trailers.items():
            total.trailers[name].update(values)
        total.latencies.extend(tally.latencies)
        total.bytes_received += tally.bytes_received
        total.matched = list(map(add, total.matched, tally.matched))
        total.bodies = {**tally.bodies, **total.bodies}
        total.unmatched = {**tally.unmatched, **total.unmatched}
        total.last_error = tally.last_error or total.last_error
    return Result(
        name=traffic.name,
        url=traffic.url,
        sent=total.sent,
        statuses={str(status): number for status, number in sorted(total.statuses.items())},
        errors=dict(sorted(total.errors.items())),
        headers={name: capped(values, MAX_VALUES) for name, values in total.headers.items() if values},
        hosts=dict(sorted(capped(total.hosts, MAX_HOSTS).items())),
        tls=capped(total.tls, MAX_VALUES),
        latencies=sorted(seconds * 1000 for seconds in total.latencies),
        bytes_received=total.bytes_received,
        matched=total.matched,
        connections=connections,
        retries=retries,
        elapsed=elapsed,
        last_error=total.last_error,
        timeline=joined(tally.timeline for tally in tallies),
        began=began,
        grpc_statuses=dict(sorted(total.grpc_statuses.items())),
        messages=total.messages,
        redirects=total.redirects,
        trailers={name: capped(values, MAX_VALUES) for name, values in total.trailers.items() if values},
        bodies={str(status): body for status, body in sorted(total.bodies.items())},
        unmatched=total.unmatched,
    )
