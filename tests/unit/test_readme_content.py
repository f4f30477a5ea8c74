# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README.md: the order of its sections, the complete content of the collection, and the versions that the tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import SUPPORTED

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
TESTED = (ROOT / "docs" / "tested-versions.md").read_text(encoding="utf-8")
SECTIONS = [
    "Installation",
    "Included content",
    "Use",
    "Requirements",
    "Testing",
    "Support",
    "Release notes",
    "Licence",
]
CONTENT = TEXT.partition("## Included content")[2].partition("\n## ")[0]
INTERNAL = "Internal to the collection."


def table(heading: str) -> dict[str, str]:
    """Return the rows of the table with this heading: names and purposes."""
    rows = CONTENT.partition(f"| {heading} | purpose |\n|---|---|\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"(?m)^\| (?:`|\[)(\w+)(?:`|\]\([^)]*\)) \| (.+) \|$", rows))


def stems(pattern: str) -> set[str]:
    return {path.stem for path in ROOT.glob(pattern)} - {"__init__"}


def test_sections_have_the_order_of_galaxy() -> None:
    assert re.findall(r"(?m)^## (.+)$", TEXT) == SECTIONS


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("module", stems("plugins/modules/*.py")),
        ("filter", stems("plugins/filter/*.py")),
        ("role", {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}),
        ("playbook", stems("playbooks/*.yml")),
    ],
)
def test_tables_list_the_content_of_the_collection(heading: str, names: set[str]) -> None:
    assert set(table(heading)) == names


@pytest.mark.parametrize(("heading", "folder"), [("module", "modules"), ("filter", "filter")])
def test_internal_plugins_are_marked_in_their_documentation(heading: str, folder: str) -> None:
    listed = {name for name, purpose in table(heading).items() if purpose.startswith("internal: ")}
    marked = {
        path.stem
        for path in (ROOT / "plugins" / folder).glob("*.py")
        if INTERNAL in path.read_text(encoding="utf-8")
    }
    assert listed == marked
    assert listed


def minors(text: str, package: str) -> set[str]:
    """Return the minor versions of a package in a locked file."""
    return set(re.findall(rf"(?m)^{package}==(\d+\.\d+)\.", text))


def test_versions_of_the_pages_are_those_that_run() -> None:
    locked = (ROOT / "requirements" / "demo.txt").read_text(encoding="utf-8")
    pythons = yaml.safe_load((ROOT / "meta" / "versions.yml").read_text(encoding="utf-8"))["pythons"]
    rows = re.findall(r"(?m)^\| (2\.\d+) \| ([\d., ]+) \|$", TEXT)
    assert {core for core, _pythons in rows} == minors(locked, "ansible-core")
    assert [python for _core, listed in rows for python in listed.split(", ")] == pythons["controller"]
    for version in [*SUPPORTED.values(), *pythons["hosts"], *(core for core, _pythons in rows)]:
        assert re.search(rf"(?<![\d.]){re.escape(version)}(?!\d)", TESTED), version
