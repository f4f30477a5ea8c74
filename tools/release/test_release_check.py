# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the release check: the problems that it finds in a changelog and in the output of galaxy-importer, and the workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import release_check
import yaml

RELEASED = "# Release Notes\n\n## v1\\.0\\.0\n\n### Release Summary\n\nThe first release\\.\n\n### Minor Changes\n\n* a\n"
VERSIONS = yaml.safe_load((release_check.ROOT / "meta" / "versions.yml").read_text(encoding="utf-8"))


def test_released_changelog_has_no_problem() -> None:
    assert release_check.changelog_problems(RELEASED, []) == []


@pytest.mark.parametrize(
    ("text", "kept", "problem"),
    [
        (RELEASED.replace("v1\\.0\\.0", "v0.1.0"), [], "has no section v1.0.0"),
        (RELEASED.replace("The first release\\.", ""), [], "has no summary for users"),
        (RELEASED, [Path("changelogs/fragments/a.yml")], "does not contain the fragment a.yml"),
    ],
)
def test_incomplete_changelog_is_a_problem(text: str, kept: list[Path], problem: str) -> None:
    [found] = release_check.changelog_problems(text, kept)
    assert problem in found


@pytest.mark.parametrize(
    ("printed", "problems"),
    [
        ("Loading role a\nImporter processing completed successfully\n", []),
        ("WARNING: no changelog\nImporter processing completed successfully\n", ["WARNING: no changelog"]),
        ("Loading role a\n", ["the import did not complete"]),
    ],
)
def test_import_reports_each_warning(printed: str, problems: list[str]) -> None:
    assert release_check.import_problems(printed) == problems


def jobs(workflow: str) -> dict[str, Any]:
    path = release_check.WORKFLOWS / f"{workflow}.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return found


def test_workflow_runs_the_definition_of_ci_with_all_pythons() -> None:
    steps = jobs("ci")["test"]["steps"]
    assert steps[-1]["run"] == "bash .ci/run"
    [pythons] = [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")]
    tested = set(VERSIONS["pythons"]["controller"]) | set(VERSIONS["pythons"]["hosts"])
    # Modules refuse 3.8.
    assert set(pythons.split()) == tested | {"3.8"}
    assert pythons.split()[-1] == VERSIONS["pythons"]["controller"][0]


def test_publication_requires_the_tests() -> None:
    listed = jobs("publish")
    assert listed["test"] == {"uses": "./.github/workflows/ci.yml"}
    assert listed["publish"]["needs"] == "test"


@pytest.mark.parametrize(
    "path", sorted(release_check.WORKFLOWS.glob("*.yml")), ids=lambda path: str(path.stem)
)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        _before, uses, action = line.partition("uses: ")
        if uses and not action.startswith("./"):
            assert len(action.partition("@")[2].split()[0]) == 40, line
