# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of failed requests by kind of change in docs/live-changes.md, and its summary in README.md.

The results are those of tests/integration/test_live_changes.py in build/changes. A platform without a result keeps its column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from checkout import BUILD, ROOT, stop

RESULTS = BUILD / "changes"
PAGE = ROOT / "docs" / "live-changes.md"
README = ROOT / "README.md"
PLATFORMS = ("local", "docker", "kubernetes")
MARKS = ("<!-- begin: make change-table -->", "<!-- end: make change-table -->")
NOT_MEASURED = "not measured"
CELL = re.compile(r"([\d,]+) of ([\d,]+)")
Row = Mapping[str, Any]
# The cells by kind and platform.
Cells = dict[str, dict[str, str]]


def cells_of(platform: str, rows: Sequence[Row], cells: Cells) -> None:
    """Replace the cells of a platform by the results of its changes: the failed requests and all requests of each kind."""
    for one in cells.values():
        one.pop(platform, None)
    for kind in dict.fromkeys(row["kind"] for row in rows):
        found = [row for row in rows if row["kind"] == kind]
        failed, requests = (sum(row[key] for row in found) for key in ("failed", "requests"))
        announced = (
            ", announced" if failed and all(row["announced"] for row in found if row["failed"]) else ""
        )
        cells.setdefault(kind, {})[platform] = f"{failed:,} of {requests:,}{announced}"


def cells_in(page: str) -> Cells:
    """Return the cells of a page."""
    found: Cells = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 1 + len(PLATFORMS) and CELL.search(line):
            kind, *rest = cells
            if kind != TOTAL:
                found[kind] = {
                    one: cell for one, cell in zip(PLATFORMS, rest, strict=True) if cell != NOT_MEASURED
                }
    return found


TOTAL = "**all**"


def total(cells: Cells, platform: str) -> tuple[int, int]:
    """Return the failed requests and all requests of a platform."""
    numbers = [CELL.match(one[platform]) for one in cells.values() if platform in one]
    failed, requests = (
        sum(int(found[group].replace(",", "")) for found in numbers if found) for group in (1, 2)
    )
    return failed, requests


def table(cells: Cells) -> str:
    """Return the table as Markdown."""
    lines = [f"| kind of change | {' | '.join(PLATFORMS)} |", "|---" * (1 + len(PLATFORMS)) + "|"]
    lines += [
        f"| {kind} | {' | '.join(cells[kind].get(one, NOT_MEASURED) for one in PLATFORMS)} |"
        for kind in cells
    ]
    sums = [total(cells, platform) for platform in PLATFORMS]
    shown = [f"**{failed:,} of {requests:,}**" if requests else NOT_MEASURED for failed, requests in sums]
    return "\n".join([*lines, f"| {TOTAL} | {' | '.join(shown)} |"])


def summary(cells: Cells) -> str:
    """Return the sentence about all platforms."""
    sums = {platform: total(cells, platform) for platform in PLATFORMS}
    parts = [
        f"{failed:,} of {requests:,} requests on {one}"
        for one, (failed, requests) in sums.items()
        if requests
    ]
    listed = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    announced = sum("announced" in cell for one in cells.values() for cell in one.values())
    why = ", during changes whose interruption the plan announced" if announced else ""
    return f"In live changes of {len(cells)} kinds, {listed} failed{why}."


def between_marks(text: str, content: str, name: str) -> str:
    """Return a text with other content between the marks."""
    if text.count(MARKS[0]) != 1 or text.count(MARKS[1]) != 1 or text.index(MARKS[0]) > text.index(MARKS[1]):
        stop(f"{name}: needs these two lines once, in this order: {' '.join(MARKS)}")
    before, _begin, rest = text.partition(MARKS[0])
    _old, _end, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n\n{content}\n\n{MARKS[1]}{after}"


def write(results: Path, page: Path, readme: Path) -> None:
    """Write the table of the results in a folder, and its summary."""
    text = page.read_text(encoding="utf-8")
    cells = cells_in(text)
    found = [one for one in PLATFORMS if (results / f"{one}.json").is_file()]
    if not found:
        stop(
            f"{results} has no results. Run tests/integration/test_live_changes.py with -m slow first, as make soak does."
        )
    for platform in found:
        cells_of(platform, json.loads((results / f"{platform}.json").read_text(encoding="utf-8")), cells)
    page.write_text(between_marks(text, table(cells), page.name), encoding="utf-8")
    before = readme.read_text(encoding="utf-8")
    readme.write_text(between_marks(before, summary(cells), readme.name), encoding="utf-8")


if __name__ == "__main__":
    write(RESULTS, PAGE, README)
