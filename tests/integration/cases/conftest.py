# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the tests of cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cases import CaseDeployment, PortBlock


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
