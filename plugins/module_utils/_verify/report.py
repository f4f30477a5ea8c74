# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report that the action demo_verify prints: what runs, what was sent, and what came of each expectation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan

Entry = Mapping[str, Any]
Section = tuple[str, list[str]]

OK, FAILED, REASON = "✔", "✘", "Reason"
_WIDTH = len("expectations")
# In the message of a failed task: the last 15 lines on the screen contain it and Ansible's own lines.
_MOST_FAILURES = 5


def report(plan: Plan, result: Entry) -> list[str]:
    """Return the lines of the report; the failed expectations come last.

    Args:
        plan: The plan.
        result: The result of demo_verify for that plan.
    """
    failed = [f"{FAILED} {outcome['message']}" for outcome in _outcomes(result) if not outcome["ok"]]
    sections: list[Section] = [
        ("runs", _workloads(plan["workloads"])),
        ("open", _columns([[entry["name"], entry["url"], entry["what"]] for entry in plan["addresses"]])),
        ("try", list(plan["notes"])),
        ("sent", _columns([_sent(entry) for entry in result["traffic"]])),
        (
            "expectations",
            [f"{OK} {outcome['message']}" for outcome in _outcomes(result) if outcome["ok"]] + failed,
        ),
        ("reasons", list(result.get("reasons") or ())),
    ]
    title = f"{plan['name']} on {plan['platform']}: {plan['summary']}"
    lines = ["", title, ""]
    for name, content in sections:
        lines += [
            f"  {name if position == 0 else '':<{_WIDTH}}  {line}" for position, line in enumerate(content)
        ]
    return [*lines, "", f"  {summary(result)}", ""]


def summary(result: Entry) -> str:
    """Return how many expectations hold, how many requests were sent, and how long that took."""
    outcomes = list(_outcomes(result))
    holding = sum(1 for outcome in outcomes if outcome["ok"])
    sent = sum(entry["sent"] for entry in result["traffic"])
    return (
        f"{holding} of {len(outcomes)} expectations hold: {sent} requests sent and counted"
        f" in {result['elapsed']:.1f} s."
    )


def failure_message(result: Entry, hint: str = "") -> str:
    """Return the message of a failed task: the summary, the failures, their reasons, and a hint; empty where nothing failed."""
    failures = [f"{FAILED} {outcome['message']}" for outcome in _outcomes(result) if not outcome["ok"]]
    if not failures:
        return ""
    reasons = [f"{REASON}: {reason}." for reason in result.get("reasons") or ()]
    return "\n".join(filter(None, [summary(result), *failures, *reasons, hint]))


def shortened(message: str) -> str:
    """Return the message of a failed task with its first failures, so that it fits on the screen below the report."""
    lines = message.splitlines()
    failures = [line for line in lines if line.startswith(FAILED)]
    more = failures[_MOST_FAILURES:]
    if not more:
        return message
    kept = [line for line in lines if line not in more or line in failures[:_MOST_FAILURES]]
    last = max(position for position, line in enumerate(kept) if line.startswith(FAILED))
    return "\n".join([*kept[: last + 1], f"and {len(more)} more, which the report lists", *kept[last + 1 :]])


def _outcomes(result: Entry) -> Iterable[Entry]:
    for traffic in result["traffic"]:
        yield from traffic["expect"]
    yield from result["assertions"]


def _workloads(workloads: Sequence[Entry]) -> list[str]:
    """Return the names of the workloads in one line; a sidecar is shown with its app."""
    sharing: dict[str, list[str]] = {}  # by the workload whose network they share
    for workload in workloads:
        if workload["network"]:
            sharing.setdefault(workload["network"], []).append(workload["name"])
    names = [workload["name"] for workload in workloads]
    shown = []
    for name in names:
        app = name.removesuffix("-envoy")
        if name.endswith("-envoy") and app in names:
            others = [other for other in sharing.get(name, []) if other != app]
            shown.append(" + ".join([app, "its sidecar", *others]))
        elif f"{name}-envoy" not in names and not any(name in group for group in sharing.values()):
            shown.append(name)
    return [", ".join(shown)] if shown else []


def _sent(traffic: Entry) -> list[str]:
    answers = ", ".join(f"{count} × {status}" for status, count in sorted(traffic["statuses"].items()))
    errors = ", ".join(f"{count} × {kind}" for kind, count in sorted(traffic["errors"].items()))
    hosts = ", ".join(f"{host} {count}" for host, count in sorted(traffic["hosts"].items()))
    latency = traffic["latency_ms"]
    quantiles = f"p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms" if traffic["answered"] else ""
    return [
        traffic["name"],
        str(traffic["sent"]),
        "; ".join(filter(None, (answers, errors))) or "-",
        hosts,
        quantiles,
    ]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip() for row in rows]
