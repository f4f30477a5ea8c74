# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of the demos that Istio can run in docs/service-mesh.md. With --check, report a page that is out of date."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from checkout import ROOT, stop

PAGE = ROOT / "docs" / "service-mesh.md"
MARKS = ("<!-- begin: make mesh-table -->", "<!-- end: make mesh-table -->")
# The planner needs images, but the table does not depend on them.
CONTEXT = {
    "platform": "kubernetes",
    "folder": "/state",
    "mesh": "istio",
    "app": "app",
    "registry": "registry.example.com",
    "python": {"image": "python"},
}
# `file: key: what is wrong. What to do.`
ERROR = re.compile(r"\S+( with change '(?P<change>\S+)')?: (?P<key>[^:]+): (?P<problem>.*)")


def rows() -> Iterator[tuple[str, str]]:
    """Yield (demo, the key that prevents Istio and why, or an empty text) for each demo of the gallery."""
    # The link of make, under which the checkout is importable as a collection.
    sys.path[:0] = [str(ROOT / ".venv" / "collections")]
    import yaml

    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

    for path in sorted((ROOT / "playbooks" / "demos").glob("*.yml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        refused = ""
        for change in ("", *(data.get("changes") or {})):
            try:
                make_plan(path.stem, data, {**CONTEXT, "change": change}, path.name)
            except DemoError as error:
                refused = refused or reason(str(error))
        yield path.stem, refused


def reason(error: str) -> str:
    """Return the key of a refusal and what is wrong, without the file and the remedy."""
    found = ERROR.fullmatch(error)
    if found is None:
        raise SystemExit(f"mesh_table.py: {error}: the error names no key.")
    problem = re.sub(r"\. Remove it, or leave `deployment_mesh` empty\.$", "", found["problem"])
    change = f" of change `{found['change']}`" if found["change"] else ""
    return f"`{found['key']}`{change}: {problem}"


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| demo | Istio |", "| --- | --- |"]
    lines += [f"| `{demo}` | {f'– {why}' if why else '✔'} |" for demo, why in rows()]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Write the table, or compare it with that of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _begin, rest = text.partition(MARKS[0])
    _old, end, after = rest.partition(MARKS[1])
    if not end:
        stop(f"{PAGE.relative_to(ROOT)}: needs these two lines around the table: {' '.join(MARKS)}")
    new = f"{before}{MARKS[0]}\n\n{table()}\n\n{MARKS[1]}{after}"
    if "--check" not in arguments:
        PAGE.write_text(new, encoding="utf-8")
    elif new != text:
        stop(f"{PAGE.relative_to(ROOT)}: the table is out of date. Run `make mesh-table`.")


if __name__ == "__main__":
    main(sys.argv[1:])
