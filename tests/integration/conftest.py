# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests run: the newest and the oldest Envoy, unless MESHLAB_ENVOY and MESHLAB_ENVOY_OLDEST name others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from envoys import binary

CLUSTER = Path(__file__).parent / "kubernetes"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those on a cluster mostly wait, for rollouts: they run beside the others, which share this machine's ports."""
    for item in items:
        place = "cluster" if CLUSTER in item.path.parents else "machine"
        item.add_marker(pytest.mark.xdist_group(place))


def pytest_sessionstart() -> None:
    from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.versions import NEWEST, OLDEST

    for variable, version in (("MESHLAB_ENVOY", NEWEST), ("MESHLAB_ENVOY_OLDEST", OLDEST)):
        if not os.environ.get(variable):
            os.environ[variable] = str(binary(version))
