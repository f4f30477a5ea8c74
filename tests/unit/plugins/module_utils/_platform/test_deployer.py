# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts and values that all deployers share."""

from __future__ import annotations

import inspect

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    Deployer,
    as_sentence,
    sorted_names,
    with_last_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import (
    DEPLOYERS,
    deployer_class,
)


def test_log_lines_are_few_and_short() -> None:
    log = ["", *(f"line {number}" for number in range(20)), "x" * 1000, "  "]
    lines = with_last_lines("a ended", log, "a.log").splitlines()
    assert lines[0] == "a ended. Last lines of its log (a.log):"
    assert (len(lines), lines[1], len(lines[-1])) == (9, "  line 13", 302)


def test_empty_log_is_named() -> None:
    assert with_last_lines("a ended", ["", " "], "a.log") == "a ended. Its log is empty (a.log)."


@pytest.mark.parametrize(("text", "expected"), [("a b", "a b."), ("a b.", "a b."), ("a b?", "a b?")])
def test_sentence_has_one_end_mark(text: str, expected: str) -> None:
    assert as_sentence(text) == expected


def test_names_are_sorted_and_distinct() -> None:
    assert sorted_names(["b", "a", "b"]) == ("a", "b")


def test_any_change_counts() -> None:
    assert not AppliedChanges().changed
    assert AppliedChanges(objects=("Service/a",)).changed


@pytest.mark.parametrize("platform", DEPLOYERS)
def test_each_platform_implements_the_interface(platform: str) -> None:
    found = deployer_class(platform)
    assert found.document_path
    for name, method in inspect.getmembers(Deployer, inspect.isfunction):
        if not name.startswith("_"):
            expected = [*inspect.signature(method).parameters]
            assert [*inspect.signature(getattr(found, name)).parameters] == expected, name
