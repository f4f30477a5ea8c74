# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the registry of platforms."""

from __future__ import annotations

import pytest

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
