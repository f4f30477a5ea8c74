# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests run: the newest and the oldest Envoy, unless MESHLAB_ENVOY and MESHLAB_ENVOY_OLDEST name others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from envoys import binary

# What takes longest is begun first, so that nobody waits for it in the end: folders and files, a worker for each.
SLOWEST = (
    "kubernetes",
    "test_gallery",
    "test_gallery_pods",
    "test_readme",
    "test_mappings",
    "test_demos_installed",
    "test_demos",
)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say what runs side by side: the files of tests, and those on a cluster, which mostly wait for each other's pods."""
    item.add_marker(pytest.mark.xdist_group(group(item.path)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest first."""
    order = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: order.get(group(item.path), len(SLOWEST)))


def group(path: Path) -> str:
    """Return whose turn a test is a part of."""
    alone = path.parent.name == "integration" or path.stem in SLOWEST
    return path.stem if alone else path.parent.name


def pytest_sessionstart() -> None:
    from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.versions import NEWEST, OLDEST

    for variable, version in (("MESHLAB_ENVOY", NEWEST), ("MESHLAB_ENVOY_OLDEST", OLDEST)):
        if not os.environ.get(variable):
            os.environ[variable] = str(binary(version))
