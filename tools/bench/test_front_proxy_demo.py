# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the generated demo."""

from __future__ import annotations

from pathlib import Path

import yaml
from front_proxy_demo import write_demo


def test_demo_is_valid_and_has_the_number_of_services(tmp_path: Path) -> None:
    # Test modules are loaded before pytest_configure makes the collection importable.
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

    path = write_demo(tmp_path, 20)
    demo = read_demo(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")))
    assert len(demo["services"]) == 20
    assert all(service["sidecar"] is not None for service in demo["services"].values())
