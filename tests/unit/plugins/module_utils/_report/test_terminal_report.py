# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on the terminal."""

from __future__ import annotations

from typing import Any

from verified_runs import FAILING, HOLDING, verified_run

from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result
from ansible_collections.meshlab.envoy.plugins.module_utils._report.terminal_report import terminal_report

PLAN = {
    "name": "shop",
    "platform": "local",
    "summary": "A shop",
    "workloads": [
        {"name": "app-1", "group": "g", "network": "app-1-envoy"},
        {"name": "app-1-envoy", "group": "g", "network": None},
        {"name": "statsd_exporter", "group": "g", "network": "app-1-envoy"},
        {"name": "edge", "group": "g", "network": None},
    ],
    "addresses": [{"name": "edge/http", "url": "http://127.0.0.1:8080", "what": "listener"}],
    "notes": ["curl http://127.0.0.1:8080/"],
}


def report(plan: dict[str, Any], verified: dict[str, Any]) -> list[str]:
    return terminal_report(run_result(plan, verified))


def test_report_ends_with_failures_and_summary() -> None:
    assert "\n".join(report(PLAN, verified_run(HOLDING, FAILING))) == (
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


def test_reasons_follow_the_failures() -> None:
    explained = verified_run(FAILING) | {"reasons": ["service idle has 0 replicas"]}
    assert report(PLAN, explained)[-4:-2] == ["  reasons       service idle has 0 replicas", ""]


def test_paths_of_written_reports_are_shown() -> None:
    lines = terminal_report(run_result(PLAN, verified_run(HOLDING)), ["file:///reports/shop/a.html"])
    assert "  report        file:///reports/shop/a.html" in lines
