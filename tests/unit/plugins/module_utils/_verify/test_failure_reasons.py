# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reasons of failed expectations, from prepared logs."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import failed
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_reasons import (
    MOST_REASONS,
    Evidence,
    SentTraffic,
    failure_reasons,
)

BEGAN = 1796007600.0


class PreparedLogs:
    """An observer with prepared lines, one list for each time that it is called; the last one stays."""

    def __init__(self, *moments: list[str]) -> None:
        self.moments = list(moments)
        self.calls: list[tuple[tuple[str, ...], float]] = []

    def recent_log_lines(self, workloads: tuple[str, ...], since: float, timeout: float) -> Any:
        assert timeout > 0
        self.calls.append((workloads, since))
        return {"edge-1": self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]}


def line(status: int = 503, path: str = "/a?b=1", time: str = "03:00:01.000", **more: Any) -> str:
    flags = {"response_flags": "UH", "response_code_details": "no_healthy_upstream"} if status == 503 else {}
    return json.dumps(
        {"start_time": f"2026-11-30T{time}Z", "path": path, "response_code": status, **flags, **more}
    )


def sent(ok: bool = False, expect: Any = None, **statuses: int) -> SentTraffic:
    """Return a traffic that expects status 200 and got these statuses, as in `s503=2`."""
    counted = {name[1:]: count for name, count in statuses.items()}
    return SentTraffic(
        {"url": "http://127.0.0.1:80/a?b=1", "expect": [{"status": "200"}] if expect is None else expect},
        {"name": "web", "statuses": counted, "answered": sum(counted.values()), "expect": [{"ok": ok}]},
        BEGAN,
        BEGAN + 2,
    )


def reasons(logs: PreparedLogs, *traffic: SentTraffic, **evidence: Any) -> list[str]:
    observer: Any = logs
    return failure_reasons(
        traffic, Evidence(observer, {"edge": "edge-1"}, **evidence), sleep=lambda _seconds: None
    )


UNHEALTHY = (
    "traffic web: 2 × 503 at edge: response flags UH (the cluster has no healthy upstream host),"
    " details no_healthy_upstream"
)


def test_requests_of_the_traffic_are_grouped() -> None:
    logs = PreparedLogs([line(), line(200), "[warning] x", line()])
    assert reasons(logs, sent(s200=1, s503=2)) == [UNHEALTHY]
    [(workloads, since)] = logs.calls
    assert workloads == ("edge-1",)
    assert BEGAN - 1 < since < BEGAN


def test_requests_of_other_paths_and_times_are_ignored() -> None:
    other = [line(path="/"), line(time="02:59:59.000"), line(time="03:00:03.000")]
    assert reasons(PreparedLogs([line(), line(), *other]), sent(s503=2)) == [UNHEALTHY]


def test_log_is_read_until_it_has_all_responses() -> None:
    logs = PreparedLogs([], [line()], [line(), line()], ["never read"])
    assert reasons(logs, sent(s503=2)) == [UNHEALTHY]
    assert len(logs.calls) == 3


def test_status_that_is_expected_is_explained_only_alone() -> None:
    logs = PreparedLogs([line(), line(), line(404)])
    expect_error = [{"status": "5xx"}, {"status": "404"}]
    assert reasons(logs, sent(s503=2, s404=1, expect=expect_error))[0] == UNHEALTHY


def test_holding_traffic_is_explained_only_if_an_assertion_fails() -> None:
    logs = PreparedLogs([line(), line(), line(), line()])
    assert reasons(logs, sent(s503=2), sent(ok=True, s503=2, expect=[])) == [UNHEALTHY.replace("2 ×", "4 ×")]
    assert len(reasons(logs, sent(ok=True, s503=2, expect=[]))) == 1
    assert reasons(logs, sent(ok=True, s200=2)) == []


def test_traffic_without_a_response_needs_no_log() -> None:
    logs = PreparedLogs([])
    assert reasons(logs, sent()) == []
    assert logs.calls == []


def test_workloads_and_services_come_first() -> None:
    found = reasons(
        PreparedLogs([line(), line()]),
        sent(s503=2),
        unready={"web-1": failed("ended with exit code 1")},
        without_replicas=["idle"],
    )
    assert found == [
        "service idle has 0 replicas",
        "web-1 was not ready: ended with exit code 1",
        UNHEALTHY,
    ]


def test_number_of_reasons_is_limited() -> None:
    found = reasons(PreparedLogs([]), without_replicas=[f"s{number}" for number in range(MOST_REASONS + 3)])
    assert found[-1] == "and 3 more"
    assert len(found) == MOST_REASONS + 1


def test_refused_certificate_is_reported_with_the_accepted_one() -> None:
    details = "upstream_reset_before_response_started{TLS_error:CERTIFICATE_VERIFY_FAILED}"
    refused = line(response_flags="UF", response_code_details=details, upstream_cluster="plain")
    trust = {"edge": {"plain": "a certificate of the demo's authority", "other": "x"}}
    [found] = reasons(PreparedLogs([refused, refused]), sent(s503=2), trust=trust)
    assert found.endswith("cluster plain, which accepts a certificate of the demo's authority")
