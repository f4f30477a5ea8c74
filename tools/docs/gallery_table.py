# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the README's table of demos and platforms, from what `make demos` or the tests of the gallery saw: build/gallery/*.json.

Puts these runs on record too, so that the demos' pages have numbers in a clone that ran nothing.
"""

from __future__ import annotations

from pathlib import Path

from checkout import stop
from gallery_runs import PLATFORMS, RECORD, Data, last_runs, record

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
MARKS = ("<!-- begin: make table -->", "<!-- end: make table -->")


def cell(one: Data | None) -> str:
    """What became of a demo on a platform: how many expectations hold, in how many seconds from nothing to nothing."""
    if one is None:
        return "not tried"
    if one["unsupported_on"] and not one["failed"]:
        return f"– {one['unsupported_on']}"
    mark = "✘" if one["failed"] else "✔"
    return f"{mark} {one['held']} of {one['expectations']}, {float(one['seconds']):.0f} s"


def main() -> None:
    runs = ROOT / "build" / "gallery"
    seen = last_runs(runs)
    for platform in PLATFORMS:
        if platform not in seen:
            stop(
                f"there is no {(runs / platform).relative_to(ROOT)}.json: run make demos PLATFORM={platform} first"
            )
    demos = sorted({demo for found in seen.values() for demo in found})
    rows = [("demo", *PLATFORMS), ("---",) * (1 + len(PLATFORMS))]
    rows += [(f"`{demo}`", *(cell(seen[one].get(demo)) for one in PLATFORMS)) for demo in demos]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = README.read_text(encoding="utf-8")
    begin, end = MARKS
    before, _begin, rest = text.partition(begin)
    _old, _end, after = rest.partition(end)
    record(seen, RECORD)
    README.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
