# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of integration tests: their markers, their order, and the Envoys and programs that they run.

The tests run the newest and the oldest supported Envoy. MESHLAB_ENVOY and MESHLAB_ENVOY_OLDEST name other binaries.
"""

from __future__ import annotations

import os

import pytest
from envoys import binary
from markers import LONGEST_FIRST, markers_of


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the markers, put the slowest files first, and deselect the tests that need the lab's cluster on another cluster."""
    for item in items:
        parameters = (
            item.callspec.params.values()
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else ()
        )
        for marker in markers_of(item.path, parameters, getattr(item, "fixturenames", ())):
            item.add_marker(marker)
    order = {name: position for position, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST_FIRST)))
    if os.environ.get("MESHLAB_LAB_KUBERNETES") == "yours":
        lab_only = [item for item in items if needs_the_lab(item)]
        config.hook.pytest_deselected(items=lab_only)
        items[:] = [item for item in items if item not in lab_only]


def needs_the_lab(item: pytest.Item) -> bool:
    """Return whether a test needs the lab's cluster: its OpenShift rules, its Routes or its registry."""
    return any(item.get_closest_marker(name) is not None for name in ("lab", "openshift"))


def pytest_sessionstart() -> None:
    """Install the Envoys and the programs of the local platform."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST

    for variable, version in (("MESHLAB_ENVOY", NEWEST), ("MESHLAB_ENVOY_OLDEST", OLDEST)):
        if not os.environ.get(variable):
            os.environ[variable] = str(binary(version))
    # Before pytest-xdist starts its workers, because two workers cannot install into one folder at the same time.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        from live import provide

        provide()
