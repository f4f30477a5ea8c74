# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the safe file operations: symbolic links, atomic writes, locks and errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_transactions import deploy, text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.staged_files import staged_files


@pytest.mark.parametrize("link", ["edge", "edge/a"])
def test_symbolic_links_are_not_followed(folder: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("mine")
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(tmp_path / ("outside" if link == "edge" else "outside/a"))
    with pytest.raises(ConfigRefused, match=f"^{folder}/{link}: this is a symbolic link"):
        deploy(folder, DesiredFiles((text_file("edge/a"),)))
    assert (tmp_path / "outside/a").read_text() == "mine"


def test_directory_in_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)
    with pytest.raises(ConfigRefused, match=f"^{folder}/a: this path is a directory on the host. Remove it"):
        deploy(folder, DesiredFiles((text_file("a"),)))


def test_file_in_place_of_a_directory_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "b").write_text("")
    with pytest.raises(ConfigRefused, match=f"^{folder}/b/c: a parent of this path is a file on the host"):
        deploy(folder, DesiredFiles((text_file("b/c"),)))


def test_write_leaves_no_unfinished_file_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        file_tree.write(tmp_path, "a", b"x", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_remove_leftovers_removes_unfinished_files(tmp_path: Path) -> None:
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging/x").write_text("")
    (tmp_path / f".a{file_tree.UNFINISHED_SUFFIX}").write_text("")
    (tmp_path / "a").write_text("")
    file_tree.remove_leftovers(tmp_path, {"."})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_remove_tree_removes_only_the_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to("outside")
    file_tree.remove_tree(tmp_path, "link")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


def test_permission_errors_name_the_remedy(tmp_path: Path) -> None:
    refusal = r"^/x/y: the user of this task cannot write here\. Use become"
    with pytest.raises(ConfigRefused, match=refusal), file_tree.refusing_os_errors(tmp_path):
        raise PermissionError(13, "Permission denied", "/x/y")


def test_other_errors_name_the_path(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigRefused, match=r"^/x/y: not a directory\. Remove or rename it"),
        file_tree.refusing_os_errors(tmp_path),
    ):
        raise NotADirectoryError(20, "Not a directory", "/x/y")


def test_moved_files_synchronize_each_directory_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synchronized: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synchronized.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    )
    paths = ["top", "a/one", "a/two", "a/b/three"]
    with staged_files(folder) as staged:
        for path in paths:
            staged.add(path, b"x", 0o600)
        # Not their directory: they leave it.
        assert [Path(one).parent for one in synchronized] == [folder / ".staging" / "new"] * len(paths)
        synchronized.clear()
        staged.replace()
        assert synchronized == [str(folder), str(folder / "a"), str(folder / "a/b")]
    assert all((folder / path).read_bytes() == b"x" for path in paths)
