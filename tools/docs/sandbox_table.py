# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the section about Envoy's sandboxes in docs/demos.md from tools/docs/sandboxes.yml: the demo of each, or the reason for none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from checkout import stop

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "demos.md"
SANDBOXES = Path(__file__).with_name("sandboxes.yml")
MARKS = ("<!-- begin: sandboxes -->", "<!-- end: sandboxes -->")

Data = Mapping[str, Mapping[str, Any]]


def sandboxes() -> Data:
    """Return the entries of sandboxes.yml by the name of the sandbox."""
    found: Data = yaml.safe_load(SANDBOXES.read_text(encoding="utf-8"))
    return found


def section(entries: Data, demos: int) -> str:
    """Return the text about the sandboxes that a gallery of `demos` demos covers, and a table of the differences and the missing ones."""
    covered = {name: one for name, one in entries.items() if "demo" in one}
    same = [name for name, one in covered.items() if "note" not in one]
    different = {name: one for name, one in covered.items() if "note" in one}
    missing = {name: one for name, one in entries.items() if "demo" not in one}
    not_run = [name for name, one in covered.items() if one["demo"] in contrib_demos()]
    rows = ["| sandbox | demo | what differs, or why there is none |", "|---|---|---|"]
    rows += [f"| `{name}` | `{one['demo']}` | {one['note']} |" for name, one in different.items()]
    rows += [f"| `{name}` | – | {one['reason']} |" for name, one in missing.items()]
    beyond = demos - len({one["demo"] for one in covered.values()})
    numbers = (
        f"Envoy's repository of examples has {len(entries)} sandboxes. {len(covered)} of them have a demo, {len(same)} of these with the"
        f" same parts.\nThe demos of {len(not_run)} need Envoy's contrib builds, and were not run. {beyond} of the {demos} demos show"
        " features that no sandbox\nshows. The other sandboxes:"
    )
    return "\n".join([numbers, "", *rows])


def with_section(text: str, demos: int) -> str:
    """Return the page with the current section."""
    begin, end = MARKS
    if text.count(begin) != 1 or text.count(end) != 1:
        stop(f"docs/demos.md: needs these two lines once, around the section:\n{begin}\n{end}")
    before, _begin, rest = text.partition(begin)
    _old, _end, after = rest.partition(end)
    return f"{before}{begin}\n\n{section(sandboxes(), demos)}\n\n{end}{after}"


def contrib_demos() -> set[str]:
    """Return the demos of Envoy's contrib builds, which no package registry has."""
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "playbooks" / "demos").glob("*.yml")
    }
    return {name for name, text in texts.items() if "envoyproxy/envoy:contrib-" in text}


def number_of_demos() -> int:
    """Return the number of demos of the gallery."""
    return len(list((ROOT / "playbooks" / "demos").glob("*.yml")))


def main() -> None:
    """Write the section."""
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), number_of_demos()), encoding="utf-8")


if __name__ == "__main__":
    main()
