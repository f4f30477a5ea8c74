# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of demos and platforms in docs/demos.md from the results in build/gallery, and record these results in docs/site/runs."""

from __future__ import annotations

from pathlib import Path

from checkout import stop
from gallery_runs import PLATFORMS, RECORD, Data, last_runs, record

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "demos.md"
MARKS = ("<!-- begin: make table -->", "<!-- end: make table -->")


def cell(one: Data | None) -> str:
    """Return the result of a demo on a platform: the expectations that hold, and the seconds from deployment to removal."""
    if one is None:
        return "not run"
    if one["unsupported_on"] and not one["failed"]:
        return f"– {one['unsupported_on']}"
    mark = "✘" if one["failed"] else "✔"
    return f"{mark} {one['held']} of {one['expectations']}, {float(one['seconds']):.0f} s"


def main() -> None:
    """Write the table and the record."""
    runs = ROOT / "build" / "gallery"
    if not last_runs(runs):
        stop(f"{runs.relative_to(ROOT)} has no results. Run `make demos` first.")
    demos = sorted(path.stem for path in (ROOT / "playbooks" / "demos").glob("*.yml"))
    # A run of some demos keeps the recorded results of all other demos.
    found = {
        platform: {demo: run for demo, run in results.items() if demo in demos}
        for platform, results in last_runs(runs, RECORD).items()
    }
    rows = [("demo", *PLATFORMS), ("---",) * (1 + len(PLATFORMS))]
    rows += [(f"`{demo}`", *(cell(found.get(one, {}).get(demo)) for one in PLATFORMS)) for demo in demos]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = PAGE.read_text(encoding="utf-8")
    begin, end = MARKS
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        stop(f"docs/demos.md: needs these two lines once, in this order, around the table:\n{begin}\n{end}")
    before, _begin, rest = text.partition(begin)
    _old, _end, after = rest.partition(end)
    record(found, RECORD)
    PAGE.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
