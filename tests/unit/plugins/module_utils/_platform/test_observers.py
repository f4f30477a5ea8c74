# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the registry of observers."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import Observer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observers import (
    OBSERVERS,
    observer_class,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import DEPLOYERS


def test_each_platform_with_a_deployer_has_an_observer() -> None:
    assert list(OBSERVERS) == list(DEPLOYERS)


@pytest.mark.parametrize("name", OBSERVERS)
def test_observer_has_the_methods_of_the_interface(name: str) -> None:
    found = observer_class(name)
    assert found is not None
    assert {one for one in vars(Observer) if not one.startswith("_")} <= {*dir(found)}


def test_unknown_platform_has_no_observer() -> None:
    assert observer_class("toy") is None
