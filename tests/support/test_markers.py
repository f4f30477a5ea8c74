# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the markers that integration tests get."""

from __future__ import annotations

from pathlib import Path

import pytest
from markers import LONGEST_FIRST, markers_of

INTEGRATION = Path(__file__).resolve().parents[1] / "integration"


@pytest.mark.parametrize(
    ("path", "parameters", "fixtures", "expected"),
    [
        ("test_http_traffic.py", ["a", 3], ["tmp_path"], set()),
        ("test_demos.py", ["front_proxy", "local"], [], set()),
        ("test_demos.py", ["front_proxy", "docker"], [], {"docker"}),
        ("test_plan_with_envoy.py", ["docker"], [], set()),
        ("test_deploy_docker.py", [], [], {"docker"}),
        ("test_envoy_admin.py", [], ["container"], {"docker"}),
        ("kubernetes/test_pods.py", [], [], {"kubernetes"}),
        ("kubernetes/test_rendered.py", ["openshift"], [], {"kubernetes", "openshift"}),
        ("test_lab_kubernetes.py", [], [], {"kubernetes"}),
    ],
)
def test_markers_follow_path_parameters_and_fixtures(
    path: str, parameters: list[object], fixtures: list[str], expected: set[str]
) -> None:
    assert markers_of(INTEGRATION / path, parameters, fixtures) == expected


def test_longest_files_exist() -> None:
    names = {path.stem for path in INTEGRATION.rglob("test_*.py")}
    assert set(LONGEST_FIRST) <= names
