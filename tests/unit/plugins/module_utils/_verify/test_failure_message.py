# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message of a failed verification."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_message import (
    failure_message,
    shortened,
    summary,
)


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
    assert failure_message(explained, "Hint.").splitlines()[-2:] == [
        "Reason: service idle has 0 replicas.",
        "Hint.",
    ]


def test_shortened_message_keeps_the_reasons() -> None:
    explained = result(*[FAILING] * 20) | {"reasons": ["service idle has 0 replicas"]}
    lines = shortened(failure_message(explained)).splitlines()
    assert lines[-2:] == ["and 16 more, which the report lists", "Reason: service idle has 0 replicas."]
