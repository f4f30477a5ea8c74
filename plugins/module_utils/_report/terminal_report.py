# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on the terminal: what runs, what was sent, and the outcome of each expectation. A pure function of the result."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._report.outcome_texts import responses_text
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    RunResult,
    SentTraffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_message import FAILED, summary_of

OK = "✔"
_WIDTH = len("expectations")


def terminal_report(result: RunResult, written: Sequence[str] = ()) -> list[str]:
    """Return the lines of the report; the failed expectations and their reasons come last.

    Args:
        result: The result of a run.
        written: Paths of the written reports.
    """
    outcomes = result["expectations"]
    failed = [f"{FAILED} {one['message']}" for one in outcomes if not one["ok"]]
    addresses = [[one["name"], one["url"], one["what"]] for one in result["addresses"]]
    sections: list[tuple[str, list[str]]] = [
        ("runs", _workloads(result)),
        ("open", _columns(addresses)),
        ("try", list(result["notes"])),
        ("sent", _columns([_sent(one) for one in result["traffic"]])),
        ("report", list(written)),
        ("expectations", [f"{OK} {one['message']}" for one in outcomes if one["ok"]] + failed),
        ("reasons", list(result["reasons"])),
    ]
    lines = ["", f"{result['demo']} on {result['platform']}: {result['summary']}", ""]
    for name, content in sections:
        lines += [
            f"  {name if position == 0 else '':<{_WIDTH}}  {line}" for position, line in enumerate(content)
        ]
    return [*lines, "", f"  {summary_of(outcomes, result)}", ""]


def _workloads(result: RunResult) -> list[str]:
    """Return the names of the workloads in one line; a sidecar is shown with its app."""
    names = [name for part in result["parts"] for name in part["programs"]]
    sharing: dict[str, list[str]] = {}  # by the workload whose network they share
    for part in result["parts"]:
        for name, network in part["networks"].items():
            sharing.setdefault(network, []).append(name)
    shown = []
    for name in names:
        app = name.removesuffix("-envoy")
        if name.endswith("-envoy") and app in names:
            others = [other for other in sharing.get(name, []) if other != app]
            shown.append(" + ".join([app, "its sidecar", *others]))
        elif f"{name}-envoy" not in names and not any(name in group for group in sharing.values()):
            shown.append(name)
    return [", ".join(shown)] if shown else []


def _sent(traffic: SentTraffic) -> list[str]:
    responses = responses_text(traffic)
    hosts = ", ".join(f"{host} {count}" for host, count in sorted(traffic["hosts"].items()))
    latency = traffic["latency_ms"]
    quantiles = f"p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms" if traffic["answered"] else ""
    return [traffic["name"], str(traffic["sent"]), responses, hosts, quantiles]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip() for row in rows]
