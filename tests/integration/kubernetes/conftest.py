# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of tests on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cluster_home import ClusterHome


@pytest.fixture(scope="module")
def home() -> Iterator[ClusterHome]:
    """Return a home with a new namespace for each module."""
    # A conftest.py is read before the collection can be imported.
    from cluster_home import ClusterHome

    home = ClusterHome("kubernetes")
    yield home
    home.close()
