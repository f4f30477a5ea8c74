# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the docstrings of the planner give the results that they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.meshlab.envoy.plugins"
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in (
        "module_utils/_demo",
        "module_utils/_envoy",
        "module_utils/_platform",
        "module_utils/_plan",
    )
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
ENTRY_POINTS = ("module_utils._plan.plan", "module_utils._platform.platform")


def test_entry_points_of_the_planner_have_examples() -> None:
    assert set(ENTRY_POINTS) <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_are_right(name: str) -> None:
    module = importlib.import_module(f"{PREFIX}.{name}")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.testmod(module, optionflags=options)
    assert result.attempted
    assert not result.failed
