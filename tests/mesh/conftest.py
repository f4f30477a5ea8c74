# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the tests of `make test-mesh`, and the Istio that they use."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cluster_home import ClusterHome

MESH = Path(__file__).resolve().parents[1] / "lab" / "mesh"


def lab_mesh(*arguments: str) -> str:
    """Run a command of the lab's mesh, and return its output."""
    done = subprocess.run([str(MESH), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def istioctl() -> str:
    """Return the path of istioctl."""
    return lab_mesh("istioctl")


@pytest.fixture(scope="session")
def istio() -> Iterator[None]:
    """Install Istio, and remove it after the tests."""
    try:
        lab_mesh("up", "istio")
        yield
    finally:
        lab_mesh("down", "istio")


@pytest.fixture(scope="session")
def envoy_gateway() -> Iterator[None]:
    """Install Envoy Gateway, and remove it after the tests."""
    try:
        lab_mesh("up", "envoy-gateway")
        yield
    finally:
        lab_mesh("down", "envoy-gateway")


@pytest.fixture
def home(istio: None) -> Iterator[ClusterHome]:
    """Return a home with a namespace of the mesh, whose pods get Istio's proxy."""
    from cluster_home import ClusterHome

    # Istio's init container sets up the redirection of packets, which Pod Security `restricted` does not permit.
    home = ClusterHome("kubernetes", {"istio.io/rev": "meshlab"})
    home.variables["deployment_mesh"] = "istio"
    yield home
    home.close()
