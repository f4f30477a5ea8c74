# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the text of a refusal: location, fault, outcome."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused, Finding


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding("bad."), "bad."),
        (Finding("bad.", "edge"), "edge: bad."),
        (Finding("bad.", None, "a.yaml"), "a.yaml: bad."),
        (Finding("bad.", "edge", "a.yaml", 3), "edge: a.yaml line 3: bad."),
        (Finding("bad.", "edge", None, 3), "edge: bad."),
    ],
)
def test_finding_begins_with_its_location(finding: Finding, text: str) -> None:
    assert str(finding) == text


def test_refusal_ends_with_the_outcome() -> None:
    assert str(ConfigRefused("bad.", "a.yaml", 3)) == "a.yaml line 3: bad. Nothing was changed."


def test_several_findings_have_a_line_each() -> None:
    error = ConfigRefused([Finding("bad.", "a", "a.yaml", 1), Finding("worse.", "b")], outcome="It runs.")
    assert str(error) == "a: a.yaml line 1: bad.\nb: worse.\nIt runs."
    assert (error.message, error.file, error.line) == ("bad.", "a.yaml", 1)
