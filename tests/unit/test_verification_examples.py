# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the docstrings of arguments, assertions, traffic and verification give the results that they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils import stats_api
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.tolerance import parse_tolerance
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

ROOT = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
PREFIX = "ansible_collections.meshlab.envoy.plugins.module_utils"
FOLDERS = ("_common", "_assertions", "_traffic", "_verify")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in FILES
    if ">>> " in path.read_text(encoding="utf-8")
]
ENTRY_POINTS = {
    "_assertions.evaluate",
    "_assertions.wait",
    "_traffic.load_generator",
    "_verify.verification_run",
}
# Functions and classes of other modules that an example uses.
NAMES = {name: getattr(stats_api, name) for name in stats_api.__all__} | {
    "parse_tolerance": parse_tolerance,
    "parse_traffic": parse_traffic,
}


def test_entry_points_have_examples() -> None:
    assert set(MODULES) >= ENTRY_POINTS


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_are_right(name: str) -> None:
    module = importlib.import_module(f"{PREFIX}.{name}")
    result = doctest.testmod(module, extraglobs=NAMES, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.attempted
    assert not result.failed
