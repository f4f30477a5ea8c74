# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and fixtures of integration tests: their markers, their order, the Envoys and programs that they run, and their deployments.

The tests run the newest and the oldest supported Envoy. MESHLAB_ENVOY and MESHLAB_ENVOY_OLDEST name other binaries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from envoys import binary
from markers import LONGEST_FIRST, markers_of

if TYPE_CHECKING:
    from cases import CaseDeployment, PortBlock


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


@pytest.fixture
def block() -> Iterator[PortBlock]:
    """Return a block of ports for one test."""
    # A conftest.py is read before the collection can be imported.
    from cases import PortBlock

    block = PortBlock()
    yield block
    block.close()


@pytest.fixture
def deployment() -> Iterator[Callable[[str], CaseDeployment]]:
    """Return a function that makes a deployment on a platform, which is removed at the end of the test."""
    from cases import case_deployments

    with case_deployments() as deployments:
        yield deployments


@pytest.fixture
def local(deployment: Callable[[str], CaseDeployment]) -> CaseDeployment:
    """Return a deployment on this host."""
    return deployment("local")
