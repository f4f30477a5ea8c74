# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the whole repository: licence headers, the action group, requirements, and no sanity ignores."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LICENSED = (".cfg", ".go", ".j2", ".py", ".sh", ".toml", ".yaml", ".yml")
# REUSE-IgnoreStart
HEADER = (
    "Copyright: meshlab.envoy contributors",
    "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "SPDX-License-Identifier: GPL-3.0-or-later",
)
# REUSE-IgnoreEnd
# antsibull-changelog removes comments.
GENERATED = ("changelogs/changelog.yaml",)
# Files of users, as the tests receive them: the tests expect the lines and the content of these files.
INPUTS = "tests/integration/cases/*/*"


def files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def test_each_file_begins_with_the_licence_header() -> None:
    without = []
    for name in files():
        path = ROOT / name
        if not name.endswith(LICENSED) or name in GENERATED or path.match(INPUTS) or not path.stat().st_size:
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        mark = "//" if name.endswith(".go") else "#"
        first = 1 if lines[0].startswith("#!") else 0
        if lines[first : first + len(HEADER)] != [f"{mark} {line}" for line in HEADER]:
            without.append(name)
    assert not without


def test_action_group_has_every_module() -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    modules = sorted(
        path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
    )
    assert groups["envoy"] == modules


def test_modules_document_the_action_group() -> None:
    # `ansible-doc` shows it as an attribute, from the module or from a documentation fragment.
    for path in sorted((ROOT / "plugins" / "modules").glob("*.py")):
        documentation = re.search(
            r'^DOCUMENTATION = r?"""(.*?)^"""', path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
        assert documentation, f"{path.name} has no DOCUMENTATION"
        loaded = yaml.safe_load(documentation.group(1))
        assert "action_group" in loaded.get("attributes", {}) or loaded.get(
            "extends_documentation_fragment"
        ), path.name


def test_sanity_has_no_ignores() -> None:
    assert not list((ROOT / "tests" / "sanity").glob("ignore*.txt"))
