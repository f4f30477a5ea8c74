# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the table of Envoy's sandboxes: it is complete, its demos exist, and the page has its current numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from live import NOT_RUN
from sandbox_table import (
    PAGE,
    ROOT,
    contrib_demos,
    number_of_demos,
    sandboxes,
    section,
    with_section,
)

DEMOS = {path.stem for path in (ROOT / "playbooks" / "demos").glob("*.yml")}
# Number of sandboxes at the commit of sandbox_lines.yml.
TOTAL = 41


def test_every_sandbox_has_a_demo_or_a_reason() -> None:
    entries = sandboxes()
    assert len(entries) == TOTAL
    for name, one in entries.items():
        assert ("demo" in one) != ("reason" in one), name
        assert one.get("demo") in DEMOS or "reason" in one, name


def test_sandboxes_with_counted_lines_have_their_demo() -> None:
    """The benchmark compares the lines of the same pairs."""
    counted = yaml.safe_load((ROOT / "tools/bench/sandbox_lines.yml").read_text(encoding="utf-8"))["demos"]
    entries = sandboxes()
    assert {demo: entries[one["folder"]].get("demo") for demo, one in counted.items()} == {
        demo: demo for demo in counted
    }


def test_page_has_the_current_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_section(text, number_of_demos()) == text, "run `make table`"


def test_readme_has_the_current_numbers() -> None:
    demos = [one["demo"] for one in sandboxes().values() if "demo" in one]
    not_run = sum(demo in contrib_demos() for demo in demos)
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"{len(demos)} of Envoy's {TOTAL} sandboxes have a demo" in readme
    assert f"{not_run} of these demos need Envoy's contrib builds, and were not run here" in readme


def test_demos_that_are_not_run_are_those_of_contrib_builds() -> None:
    assert contrib_demos() == NOT_RUN


def test_numbers_follow_from_the_entries() -> None:
    entries = {
        "a": {"demo": "a"},
        "b": {"demo": "a", "note": "another collector"},
        "c": {"reason": "needs an account"},
    }
    text = section(entries, demos=5)
    assert "has 3 sandboxes. 2 of them have a demo, 1 of these" in text
    assert "4 of the 5 demos show features that no sandbox\nshows" in text
    assert "| `b` | `a` | another collector |" in text
    assert "| `c` | – | needs an account |" in text


@pytest.mark.skipif(
    "MESHLAB_SANDBOXES" not in os.environ, reason="MESHLAB_SANDBOXES names no clone of Envoy's examples"
)
@pytest.mark.slow
def test_entries_are_the_sandboxes_of_the_clone() -> None:
    clone = Path(os.environ["MESHLAB_SANDBOXES"])
    assert {path.parent.name for path in clone.glob("*/docker-compose*.y*ml")} == set(sandboxes())
