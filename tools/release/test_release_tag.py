# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the check of a release's tag."""

from __future__ import annotations

import pytest
import release_tag

CHANGELOG = "# Release Notes\n\n## v1\\.0\\.0\n\n## v0.1.0\n"


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "problem"),
    [
        ("v1.0.0", "1.0.0", CHANGELOG, ""),
        ("v1.0.1", "1.0.0", CHANGELOG, "TAG: expected v1.0.0, the version in galaxy.yml, got 'v1.0.1'"),
        ("", "1.0.0", CHANGELOG, "TAG: expected v1.0.0, the version in galaxy.yml, got ''"),
        ("v1.1.0", "1.1.0", CHANGELOG, "CHANGELOG.md: expected v1.1.0 first, got v1.0.0."),
        ("v1.0.0", "1.0.0", "", "CHANGELOG.md: expected v1.0.0 first, got no section."),
    ],
)
def test_tag_version_and_changelog_must_agree(tag: str, version: str, changelog: str, problem: str) -> None:
    found = release_tag.problems(tag, version, changelog)
    assert len(found) == bool(problem)
    assert not problem or problem in found[0]
