# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report about a verification, and the message of a failed one."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._verify.report import (
    failure_message,
    report,
    shortened,
    summary,
)

PLAN = {
    "name": "shop",
    "platform": "local",
    "summary": "A shop",
    "workloads": [
        {"name": "app-1", "network": "app-1-envoy"},
        {"name": "app-1-envoy", "network": None},
        {"name": "statsd_exporter", "network": "app-1-envoy"},
        {"name": "edge", "network": None},
    ],
    "addresses": [{"name": "edge/http", "url": "http://127.0.0.1:8080", "what": "listener"}],
    "notes": ["curl http://127.0.0.1:8080/"],
}


def traffic(*outcomes: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a traffic with these outcomes."""
    return {
        "name": "kept",
        "sent": 20,
        "answered": 19,
        "statuses": {"200": 19},
        "errors": {"timeout": 1},
        "hosts": {"app-1": 19},
        "latency_ms": {"p50": 0.44, "p99": 3.81},
        "expect": list(outcomes),
    }


def result(*assertions: dict[str, Any]) -> dict[str, Any]:
    """Return the result of demo_verify with these outcomes of assertions."""
    failing = {"ok": False, "message": "expected 20, got 19 (answers of traffic kept)"}
    return {"traffic": [traffic(failing)], "assertions": list(assertions), "elapsed": 0.25}


HOLDING = {"ok": True, "message": "expected 1, got 1 (server.live at edge)"}
FAILING = {"ok": False, "message": "expected 2, got 1 (x at edge) after 5.0 s"}


def test_report_ends_with_failures_and_summary() -> None:
    assert "\n".join(report(PLAN, result(HOLDING, FAILING))) == (
        """
shop on local: A shop

  runs          app-1 + its sidecar + statsd_exporter, edge
  open          edge/http  http://127.0.0.1:8080  listener
  try           curl http://127.0.0.1:8080/
  sent          kept  20  19 × 200; 1 × timeout  app-1 19  p50 0.4 ms, p99 3.8 ms
  expectations  ✔ expected 1, got 1 (server.live at edge)
                ✘ expected 20, got 19 (answers of traffic kept)
                ✘ expected 2, got 1 (x at edge) after 5.0 s

  1 of 3 expectations hold: 20 requests sent and counted in 0.2 s.
"""
    )


def test_empty_sections_are_left_out() -> None:
    plan = {**PLAN, "addresses": [], "notes": []}
    lines = report(plan, {"traffic": [], "assertions": [HOLDING], "elapsed": 1.0})
    assert [line.split()[0] for line in lines if line.startswith("  ") and line.strip()] == [
        "runs",
        "expectations",
        "1",
    ]


def test_failure_message_lists_failures_and_hint() -> None:
    found = result(HOLDING, FAILING)
    assert failure_message(found, "Deploy the demo again.").splitlines() == [
        summary(found),
        "✘ expected 20, got 19 (answers of traffic kept)",
        "✘ expected 2, got 1 (x at edge) after 5.0 s",
        "Deploy the demo again.",
    ]


def test_shortened_message_has_five_failures_and_the_hint() -> None:
    many = [{"ok": False, "message": f"expected {number}, got 0 (x at edge)"} for number in range(30)]
    lines = shortened(failure_message(result(*many), "Deploy the demo again.")).splitlines()
    assert lines[0].startswith("0 of 31 expectations hold: ")
    assert lines[5:] == [
        "✘ expected 3, got 0 (x at edge)",
        "and 26 more, which the report lists",
        "Deploy the demo again.",
    ]


def test_short_message_stays() -> None:
    message = failure_message(result(FAILING))
    assert shortened(message) == message


def test_success_has_no_failure_message() -> None:
    assert failure_message({"traffic": [], "assertions": [HOLDING], "elapsed": 1.0}) == ""


def test_reasons_follow_the_failures() -> None:
    explained = result(FAILING) | {"reasons": ["service idle has 0 replicas"]}
    lines = report(PLAN, explained)
    assert lines[-4:-2] == ["  reasons       service idle has 0 replicas", ""]
    assert failure_message(explained, "Hint.").splitlines()[-2:] == [
        "Reason: service idle has 0 replicas.",
        "Hint.",
    ]


def test_shortened_message_keeps_the_reasons() -> None:
    explained = result(*[FAILING] * 20) | {"reasons": ["service idle has 0 replicas"]}
    lines = shortened(failure_message(explained)).splitlines()
    assert lines[-2:] == ["and 16 more, which the report lists", "Reason: service idle has 0 replicas."]
