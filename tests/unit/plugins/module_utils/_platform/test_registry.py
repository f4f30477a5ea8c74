# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the registry of platforms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from collection_hooks import collections_folder

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import (
    PLANNERS,
    platform_class,
    platform_classes,
)


@pytest.mark.parametrize("name", PLANNERS)
def test_planner_is_the_class_of_its_folder(name: str) -> None:
    found = platform_class(name)
    assert issubclass(found, Platform)
    assert found.__module__.endswith(f"._platform.{name}.layout")


def test_all_planners_are_found() -> None:
    assert list(platform_classes()) == list(PLANNERS)


def test_planner_does_not_load_modules_of_the_deployer() -> None:
    """In a new process, because this one has loaded them for other tests."""
    module_utils = "ansible_collections.meshlab.envoy.plugins.module_utils"
    program = f"""
import sys
sys.path.insert(0, {str(collections_folder())!r})
from {module_utils}._plan import plan
from {module_utils}._platform.registry import platform_classes
platform_classes()
print([name for name in sys.modules if name.startswith("{module_utils}") and name.endswith((".deployer", ".deploy", "._config"))])
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=Path("/"), capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "[]\n"
