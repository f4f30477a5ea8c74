# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The markers that integration tests get from their paths, parameters and fixtures."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

# The test files that take longest, in this order. pytest-xdist starts them first, so that they do not run alone at the end.
LONGEST_FIRST = (
    "test_readme",
    "test_demos_pods",
    "test_demos",
    "test_gallery_pods",
    "test_deploy_kubernetes",
    "test_demos_installed",
    "test_demos_canary",
    "test_gallery_fails",
    "test_live_changes",
    "test_demos_expectations",
    "test_version_matrix",
    "test_install_methods",
    "test_faults",
    "test_demos_remote",
    "test_managed_host_pythons",
    "test_make_pythons",
    "test_demos_live",
    "test_gallery",
    "test_mappings",
)
# Test files whose parameter names a platform that they only plan for.
PLAN_ONLY = ("test_plan_with_envoy",)


def markers_of(path: Path, parameters: Iterable[object], fixtures: Collection[str]) -> set[str]:
    """Return the markers of a test, which state what it needs: `docker`, `kubernetes`, `openshift`."""
    found: set[str] = set()
    if path.stem not in PLAN_ONLY:
        found |= {str(one) for one in parameters} & {"docker", "kubernetes", "openshift"}
    if "docker" in path.stem or "container" in path.stem or "container" in fixtures:
        found.add("docker")
    if "openshift" in found or path.parent.name == "kubernetes" or "kubernetes" in path.stem:
        found.add("kubernetes")
    return found
