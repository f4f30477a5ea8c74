# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a traffic as the module returns it."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.timeline import TimelineEntry


class ResultData(TypedDict):
    """What came of one traffic, as the module returns it."""

    name: str
    url: str
    sent: int  # requests
    answered: int
    statuses: dict[str, int]
    errors: dict[str, int]
    headers: dict[str, dict[str, int]]
    hosts: dict[str, int]
    tls: dict[str, int]
    grpc_statuses: dict[str, int]
    messages: int  # of gRPC responses
    redirects: int  # that were followed
    response_flags: dict[str, int] | None  # None: no access log was read
    trailers: dict[str, dict[str, int]]
    latency_ms: dict[str, float | None]
    latency_histogram: list[list[float]]  # upper bound in milliseconds, and the number of answers
    hdr_histogram: str  # in microseconds, V2 compressed, Base64
    timeline: list[TimelineEntry]
    began: float  # seconds since 1970
    bytes_received: int
    connections: int
    retries: int
    elapsed: float  # seconds
    last_error: str
