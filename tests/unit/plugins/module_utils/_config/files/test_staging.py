# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the staged copy."""

from __future__ import annotations

from pathlib import Path

from config_transactions import text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Directory
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import staging


def test_staged_folder_is_private_and_removed(tmp_path: Path) -> None:
    with staging.staged_folder(tmp_path) as staged:
        modes = [path.stat().st_mode & 0o777 for path in (staged.tree.parent, staged.tree, staged.private)]
        assert modes == [0o700, 0o755, 0o700]
    assert list(tmp_path.iterdir()) == []


def test_staged_folder_is_temporary_without_a_folder() -> None:
    with staging.staged_folder(None) as staged:
        base = staged.tree.parent
        assert base.stat().st_mode & 0o777 == 0o700
    assert not base.exists()


def test_fill_omits_the_key_of_the_authority(tmp_path: Path) -> None:
    files = [text_file("ca/ca.key"), text_file("ca/ca.crt"), text_file("edge/a", mode=0o600)]
    staging.fill(tmp_path, files, [Directory("edge/run", 0o777)])
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert written == ["ca", "ca/ca.crt", "edge", "edge/a", "edge/run"]
    assert (tmp_path / "edge/a").stat().st_mode & 0o777 == 0o600
