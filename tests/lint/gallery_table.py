# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the README's table of demos and runtimes, from what `make demos` or the tests of the gallery saw: build/gallery/*.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

from checkout import stop

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
RUNTIMES = ("local", "docker", "kubernetes", "openshift")
MARKS = ("<!-- begin: make table -->", "<!-- end: make table -->")


def cell(one: dict[str, object] | None) -> str:
    """What became of a demo on a runtime: how many expectations hold, in how many seconds from nothing to nothing."""
    if one is None:
        return ""
    if one["unfit"]:
        return f"– {one['unfit']}"
    mark = "✘" if one["failed"] else "✔"
    return f"{mark} {one['held']} of {one['expectations']}, {float(str(one['seconds'])):.0f} s"


def main() -> None:
    seen: dict[str, dict[str, dict[str, object]]] = {}
    for runtime in RUNTIMES:
        path = ROOT / "build" / "gallery" / f"{runtime}.json"
        if not path.is_file():
            stop(f"there is no {path.relative_to(ROOT)}: run make demos RUNTIME={runtime} first")
        for one in json.loads(path.read_text(encoding="utf-8")):
            # Tests give demos names of their own: t4711_front_proxy.
            seen.setdefault(re.sub(r"^t\d+_", "", one["demo"]), {})[runtime] = one
    rows = [("demo", *RUNTIMES), ("---",) * (1 + len(RUNTIMES))]
    rows += [
        (f"`{demo}`", *(cell(found.get(one)) for one in RUNTIMES)) for demo, found in sorted(seen.items())
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = README.read_text(encoding="utf-8")
    begin, end = MARKS
    before, _begin, rest = text.partition(begin)
    _old, _end, after = rest.partition(end)
    README.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
