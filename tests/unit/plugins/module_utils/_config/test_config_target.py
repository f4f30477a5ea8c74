# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the target that is a folder of this host."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import FolderTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor


def test_folder_target_writes_and_removes_below_the_folder(tmp_path: Path) -> None:
    target = FolderTarget(tmp_path, XdsMonitor(ConfigAdmin("unix:///nonexistent")))
    target.write("edge/clusters.yaml", b"x", 0o600)
    assert (tmp_path / "edge/clusters.yaml").read_bytes() == b"x"
    assert target.read("edge/clusters.yaml") is None
    target.remove("edge/clusters.yaml")
    assert list(tmp_path.iterdir()) == []


def test_folder_target_is_not_running_without_an_admin(tmp_path: Path) -> None:
    target = FolderTarget(tmp_path, XdsMonitor(ConfigAdmin(f"unix://{tmp_path}/none.sock")))
    assert not target.is_running()
