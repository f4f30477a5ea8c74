# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the compose project that the collection is measured against."""

from __future__ import annotations

import json
from pathlib import Path

import manual_compose
import yaml


def test_project_has_an_edge_and_two_containers_per_service(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    manual_compose.write(folder, 3)
    services = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert len(services) == 1 + 2 * 3
    edge = json.loads((folder / "edge.json").read_text(encoding="utf-8"))
    clusters = {one["name"] for one in edge["static_resources"]["clusters"]}
    assert clusters == {"service1", "service2", "service3"}
    assert manual_compose.APP.is_file()
