# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the figures of `make bench` in docs/speed.md, the charts of growth in docs/pictures, and record them in docs/site/speed.json.

The figures are those of build/bench.json, with build/phases.json and build/growth. speed_rows.yml lists the rows, the reasons for missed
bounds, and the figures that are measured by hand. A row without a figure shows that it was not measured.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from checkout import BUILD, ROOT, stop
from growth import Growth

PAGE = ROOT / "docs" / "speed.md"
PICTURES = ROOT / "docs" / "pictures"
RECORD = ROOT / "docs" / "site" / "speed.json"
ROWS = Path(__file__).with_name("speed_rows.yml")
NOT_MEASURED = "not measured"
# How the table names the results of a figure.
RESULTS = {"within bound": "within", "MISSED": "missed"}
# The charts, with the text of each picture.
CHARTS = {
    "planner": "CPU time of the planner by the number of services, a line for each platform",
    "deploy": "Time of a deployment by the number of services: the first one, and one without changes",
    "verify": "Time of a verification by the number of services",
    "fleet": "Time of envoy_stats by the number of endpoints: with the filter on the server, and with complete responses",
}
Data = Mapping[str, Any]


def record(build: Path, processors: int) -> dict[str, Any]:
    """Return the figures, the phases and the growth of a build folder, with the date and the number of processors."""
    bench, phases = build / "bench.json", build / "phases.json"
    if not bench.is_file():
        stop(f"{bench.name}: not found in {build}. Run `make bench` first.")
    date = time.strftime("%Y-%m-%d", time.gmtime(bench.stat().st_mtime))
    charts = {name: build / "growth" / f"{name}.json" for name in CHARTS}
    return {
        "date": date,
        "processors": processors,
        "figures": json.loads(bench.read_text(encoding="utf-8")),
        "phases": json.loads(phases.read_text(encoding="utf-8")) if phases.is_file() else {},
        "growth": {
            name: json.loads(path.read_text(encoding="utf-8"))
            for name, path in charts.items()
            if path.is_file()
        },
    }


def figures(recorded: Data, rows: Data) -> list[dict[str, Any]]:
    """Return the figures of all rows in order: those of the list, measured or not, and those that the list does not contain."""
    measured = {one["name"]: dict(one) for one in recorded["figures"]}
    listed = [measured.pop(name, not_measured(name, str(bound))) for name, bound in rows["figures"].items()]
    return [*listed, *measured.values(), *map(by_hand, rows["by_hand"])]


def not_measured(name: str, bound: str) -> dict[str, Any]:
    """Return the figure of a row without a measurement; its bound is the highest accepted ratio, or the lowest after `≥`."""
    return {
        "name": name,
        "bound": float(bound.removeprefix("≥ ")),
        "at_least": bound.startswith("≥ "),
        "result": NOT_MEASURED,
    }


def by_hand(row: Data) -> dict[str, Any]:
    """Return a figure that is measured by hand."""
    ratio, bound = row["measured"], row["bound"]
    result = NOT_MEASURED if ratio is None else "within bound" if ratio <= bound else "MISSED"
    return {**row, "ratio": ratio, "result": result}


def figure_table(found: Sequence[Data], reasons: Mapping[str, str]) -> str:
    """Return the table of the figures as Markdown."""
    lines = ["| figure | measured | bound | result |", "|---|---|---|---|"]
    for one in found:
        bound = one.get("bound")
        shown = "" if bound is None else f"{'≥' if one.get('at_least') else '≤'} {bound:g}"
        result = RESULTS.get(one["result"]) or one["result"]
        if one["result"] == "MISSED" and one["name"] in reasons:
            result += f": {reasons[one['name']]}"
        lines.append(f"| {one['name']} | {_measured(one)} | {shown} | {result} |")
    return "\n".join(lines)


def _measured(one: Data) -> str:
    ratio = one.get("ratio")
    if ratio is None:
        return "–"
    places = 2 if ratio < 10 else 1 if ratio < 100 else 0
    return f"{ratio:.{places}f} {one['unit']}".replace("|", "\\|")


def phase_table(phases: Mapping[str, Data]) -> str:
    """Return the table of the phases by platform as Markdown: seconds, share and the number of tasks."""
    if not phases:
        return f"The phases are {NOT_MEASURED} yet."
    platforms = [one for one in ("local", "docker", "kubernetes") if one in phases]
    lines = [f"| phase | {' | '.join(platforms)} |", "|---" * (1 + len(platforms)) + "|"]
    totals = {one: sum(phase["seconds"] for phase in phases[one].values()) for one in platforms}
    for name in phases[platforms[0]]:
        cells = [_phase(phases[one].get(name), totals[one]) for one in platforms]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sums = [f"**{totals[one]:.2f} s**" for one in platforms]
    return "\n".join([*lines, f"| **all** | {' | '.join(sums)} |"])


def _phase(phase: Data | None, total: float) -> str:
    if phase is None:
        return NOT_MEASURED
    tasks = f", {phase['tasks']} tasks" if phase["tasks"] > 1 else ""
    return f"{phase['seconds']:.2f} s, {phase['seconds'] / total:.0%}{tasks}"


def pictures(growth: Data) -> Iterator[tuple[str, str]]:
    """Yield (file name, SVG) for each chart."""
    for name, one in growth.items():
        yield f"growth-{name}.svg", Growth(one["title"], tuple(one["axes"]), one["lines"]).chart()


def growth_text(growth: Data) -> str:
    """Return the pictures as Markdown, and the charts that were not measured."""
    parts = [f"![{text}](pictures/growth-{name}.svg)" for name, text in CHARTS.items() if name in growth]
    missing = [name for name in CHARTS if name not in growth]
    parts += [f"The growth of {' and '.join(missing)} is {NOT_MEASURED} yet."] if missing else []
    return "\n\n".join(parts)


def machine(recorded: Data) -> str:
    """Return the sentence about the run."""
    processors = recorded["processors"]
    return (
        f"Measured on {recorded['date']} on a machine with {processors} processor{'s' * (processors != 1)}."
    )


def parts(recorded: Data, rows: Data) -> dict[str, str]:
    """Return the generated parts of the page by the names of their marks."""
    found = figures(recorded, rows)
    return {
        "figures": f"{machine(recorded)}\n\n{figure_table(found, rows['reasons'])}",
        "growth": growth_text(recorded["growth"]),
        "phases": phase_table(recorded["phases"]),
    }


def filled(text: str, generated: Mapping[str, str]) -> str:
    """Return the text of the page with the generated parts between their marks."""
    for name, content in generated.items():
        begin, end = (f"<!-- {edge}: make speed-table, {name} -->" for edge in ("begin", "end"))
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            stop(f"docs/speed.md: needs these two lines once, in this order: {begin} {end}")
        before, _begin, rest = text.partition(begin)
        _old, _end, after = rest.partition(end)
        text = f"{before}{begin}\n\n{content}\n\n{end}{after}"
    return text


def without_reason(recorded: Data, rows: Data) -> list[str]:
    """Return the names of the figures that missed their bounds and have no reason in speed_rows.yml."""
    return [
        one["name"]
        for one in figures(recorded, rows)
        if one["result"] == "MISSED" and one["name"] not in rows["reasons"]
    ]


def rows_of_page() -> dict[str, Any]:
    """Return the content of speed_rows.yml."""
    rows: dict[str, Any] = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    return rows


def main() -> int:
    """Record the figures, and write the page and the pictures. The exit status is 1 if a missed figure has no reason."""
    rows = rows_of_page()
    if (BUILD / "bench.json").is_file() or not RECORD.is_file():
        found = record(BUILD, os.cpu_count() or 1)
        RECORD.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), parts(recorded, rows)), encoding="utf-8")
    for old in PICTURES.glob("growth-*.svg"):
        old.unlink()
    for name, svg in pictures(recorded["growth"]):
        (PICTURES / name).write_text(svg, encoding="utf-8")
    for name in (missing := without_reason(recorded, rows)):
        print(
            f"tools/docs/{ROWS.name}: reasons: '{name}' missed its bound. Add the reason, and run `make speed-table` again.",
            file=sys.stderr,
        )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
