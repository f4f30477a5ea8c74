# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of demo_verify for tests of messages and of the report on the terminal."""

from __future__ import annotations

from typing import Any

HOLDING = {"ok": True, "message": "expected 1, got 1 (server.live at edge)"}
FAILING = {"ok": False, "message": "expected 2, got 1 (x at edge) after 5.0 s"}


def verified_run(*assertions: dict[str, Any]) -> dict[str, Any]:
    """Return the result of demo_verify with these outcomes of assertions, and a traffic whose expectation fails."""
    traffic = {
        "name": "kept",
        "sent": 20,
        "answered": 19,
        "statuses": {"200": 19},
        "errors": {"timeout": 1},
        "hosts": {"app-1": 19},
        "latency_ms": {"p50": 0.44, "p99": 3.81},
        "expect": [{"ok": False, "message": "expected 20, got 19 (answers of traffic kept)"}],
    }
    return {"traffic": [traffic], "assertions": list(assertions), "elapsed": 0.25}
