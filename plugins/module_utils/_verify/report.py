# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads at the end: what runs, where to look, what was sent, what was expected and seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]
Section = tuple[str, list[str]]


def report(plan: Entry, result: Entry) -> list[str]:
    """Return the lines of a report on `result`, the answer of demo_verify, about `plan`."""
    sections: list[Section] = [
        ("runs", _workloads(plan["workloads"])),
        ("open", _columns([[one["name"], one["url"], one["what"]] for one in plan["addresses"]])),
        ("sent", _columns([_sent(one) for one in result["traffic"]])),
        ("holds", [f"✔ {one['message']}" for one in _verdicts(result) if one["ok"]]),
        ("FAILS", [f"✘ {one['message']}" for one in _verdicts(result) if not one["ok"]]),
        ("try", list(plan["notes"])),
    ]
    title = f"{plan['name']} on {plan['platform']}: {plan['summary']}"
    lines = ["", title, ""]
    for name, content in sections:
        lines += [f"  {name if position == 0 else '':<6} {line}" for position, line in enumerate(content)]
    return [*lines, "", f"  {summary(result)}", ""]


def summary(result: Entry) -> str:
    """Return one line: how many expectations hold, of how many, about how much traffic, in what time."""
    verdicts = list(_verdicts(result))
    held = sum(1 for one in verdicts if one["ok"])
    sent = sum(one["sent"] for one in result["traffic"])
    return f"{held} of {len(verdicts)} expectations hold: {sent} requests sent and counted in {result['elapsed']:.1f} s."


def failures(result: Entry) -> list[str]:
    """Return a sentence for each expectation that does not hold."""
    return [one["message"] for one in _verdicts(result) if not one["ok"]]


def _verdicts(result: Entry) -> Iterable[Entry]:
    for traffic in result["traffic"]:
        yield from traffic["expect"]
    yield from result["assertions"]


def _workloads(workloads: Sequence[Entry]) -> list[str]:
    """A sidecar is shown with what it stands beside."""
    beside: dict[str, list[str]] = {}
    for one in workloads:
        if one["network"]:
            beside.setdefault(one["network"], []).append(one["name"])
    names = [one["name"] for one in workloads]
    shown = []
    for name in names:
        app = name.removesuffix("-envoy")
        if name.endswith("-envoy") and app in names:
            others = [one for one in beside.get(name, []) if one != app]
            shown.append(" + ".join([app, "its sidecar", *others]))
        elif f"{name}-envoy" not in names and not any(name in inside for inside in beside.values()):
            shown.append(name)
    return [", ".join(shown)]


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
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
