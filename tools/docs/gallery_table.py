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
    found = last_runs(runs)
    for platform in PLATFORMS:
        if platform not in found:
            stop(
                f"{(runs / platform).relative_to(ROOT)}.json does not exist. Run `make demos PLATFORM={platform}` first."
            )
    demos = sorted({demo for results in found.values() for demo in results})
    rows = [("demo", *PLATFORMS), ("---",) * (1 + len(PLATFORMS))]
    rows += [(f"`{demo}`", *(cell(found[one].get(demo)) for one in PLATFORMS)) for demo in demos]
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
