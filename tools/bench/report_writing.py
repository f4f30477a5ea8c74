# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the CPU time of a report: of front_proxy, with ten minutes of traffic. The time of a busy machine is not comparable."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from measure import ROOT, Figure, median, summary

BOUND = 0.3  # seconds
ROUNDS = 7
SECONDS = 600  # the most intervals of a timeline
DEMO = "front_proxy"


def sent(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a traffic of a plan, as long as a result can be."""
    interval = {
        "requests": 100,
        "failed": 1,
        "by_status": {"200": 99, "503": 1},
        "by_header": {"x-app-version": {"v1": 50, "v2": 49}},
    }
    return {
        "name": entry["name"],
        "url": entry["url"],
        "sent": 100 * SECONDS,
        "answered": 100 * SECONDS,
        "statuses": {"200": 99 * SECONDS, "503": SECONDS},
        "errors": {},
        "hosts": {"service1-1": 99 * SECONDS},
        "latency_ms": dict.fromkeys(("min", "mean", "p50", "p90", "p99", "max"), 1.0),
        "latency_histogram": [[round(0.1 * 1.26**step, 3), 600] for step in range(100)],
        "timeline": [{"second": second, **interval} for second in range(SECONDS)],
        "expect": [
            {
                "ok": True,
                "name": "",
                "observed": 1,
                "accepted": [1, 1],
                "texts": {},
                "message": f"expected 1, got 1 (number {number})",
            }
            for number in range(25)
        ],
    }


def figures(folder: Path) -> Iterator[Figure]:
    """Measure the result, and its JSON and HTML files."""
    sys.path.insert(0, str(ROOT / ".venv" / "collections"))
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_files import write_reports
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result

    path = ROOT / "playbooks" / "demos" / f"{DEMO}.yml"
    text = path.read_text(encoding="utf-8")
    programs = ("envoy", "python", "statsd_exporter", "supervisord")
    context = {
        "platform": "local",
        "folder": "/state",
        "app": "",
        **{one: {"executable": one} for one in programs},
    }
    plan = make_plan(DEMO, yaml.safe_load(text), context, path.name)
    verified = {
        "traffic": [sent(one) for one in plan["traffic"]],
        "assertions": [],
        "began": 1e9,
        "elapsed": 1.0,
    }
    seconds, elapsed = [], []
    size = 0
    for _round in range(ROUNDS):
        start, began = time.process_time(), time.monotonic()
        [page] = write_reports(run_result(plan, verified, None, text), ["html"], folder / "reports")
        seconds.append(time.process_time() - start)
        elapsed.append(time.monotonic() - began)
        size = page.stat().st_size
    yield Figure(
        f"report of {DEMO} with {SECONDS} s of traffic",
        median(seconds),
        BOUND,
        "s of CPU",
        f"{summary(seconds)}, elapsed {summary(elapsed)}, {len(plan['traffic'])} traffics, {size / 1000:.0f} kB of HTML",
    )
