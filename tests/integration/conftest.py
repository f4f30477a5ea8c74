# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests run: the newest and the oldest Envoy, unless MESHLAB_ENVOY and MESHLAB_ENVOY_OLDEST name others; and what the
local platform installs for demos."""

from __future__ import annotations

import os

import pytest
from envoys import binary

# Files of tests run side by side; what takes longest is begun first, so that nobody waits for it in the end.
SLOWEST = (
    "test_gallery",
    "test_gallery_fails",
    "test_readme",
    "test_gallery_pods",
    "test_demos",
    "test_demos_pods",
    "test_workloads_kubernetes",
    "test_demos_installed",
    "test_demos_canary",
    "test_mappings",
    "test_demos_live",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slowest files first; on a cluster of one's own, leave out what only the lab's has."""
    order = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(SLOWEST)))
    if os.environ.get("MESHLAB_LAB_KUBERNETES") == "yours":
        config.hook.pytest_deselected(items=[item for item in items if needs_the_lab(item)])
        items[:] = [item for item in items if not needs_the_lab(item)]


def needs_the_lab(item: pytest.Item) -> bool:
    given = (
        item.callspec.params.values()
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        else ()
    )
    return item.get_closest_marker("lab") is not None or any(one == "openshift" for one in given)


def pytest_sessionstart() -> None:
    from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST

    for variable, version in (("MESHLAB_ENVOY", NEWEST), ("MESHLAB_ENVOY_OLDEST", OLDEST)):
        if not os.environ.get(variable):
            os.environ[variable] = str(binary(version))
    # By the process that starts pytest-xdist's workers, before it does: two of them would install into one folder at the same time.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        from live import provide

        provide()
