# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test which folders are trusted, and that no symbolic link leads out of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.trusted_folder import (
    opened_folder,
    trusted_path,
)

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
OTHER_USER = 12345


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a directory outside of the folder, with a file `a`."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/a").write_text("mine")
    return tmp_path / "victim"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir(0o700)
    return tmp_path / "folder"


def test_missing_folder_is_created_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        with opened_folder(tmp_path / "x/y", create=True):
            pass
    finally:
        os.umask(previous)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "x/y").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_folder_that_others_can_change_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(ConfigRefused) as caught:
        trusted_path(folder)
    assert str(caught.value) == (
        f"{folder}: other users can change this folder, because its mode is {mode:04o}. Check its content, then run: chmod go-w"
        f" {folder}. Nothing was changed."
    )


@only_root
def test_folder_of_another_user_is_refused(folder: Path) -> None:
    os.chown(folder, OTHER_USER, -1)
    with pytest.raises(ConfigRefused) as caught:
        trusted_path(folder)
    assert str(caught.value) == (
        f"{folder}: this folder belongs to the user 12345, but this task runs as root. Run as 12345, or use another folder."
        " Nothing was changed."
    )


@pytest.mark.parametrize("target", ["real", "../{name}/real", "{absolute}/real"])
def test_link_of_this_user_on_the_way_is_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "real/demo").mkdir(0o700, parents=True)
    (tmp_path / "link").symlink_to(target.format(name=tmp_path.name, absolute=tmp_path))
    assert trusted_path(tmp_path / "link/demo") == tmp_path / "real/demo"
    file_tree.write(tmp_path / "link/demo", "a", b"x", 0o600)
    assert (tmp_path / "real/demo/a").read_text() == "x"
    assert trusted_path(tmp_path / "link/new/demo") == tmp_path / "real/new/demo"
    assert trusted_path(tmp_path / "link/../link/demo") == tmp_path / "real/demo"


@only_root
def test_link_of_another_user_on_the_way_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "link").symlink_to(folder.parent)
    os.chown(tmp_path / "link", OTHER_USER, -1, follow_symlinks=False)
    with pytest.raises(
        ConfigRefused, match=f"^{tmp_path}/link: this symbolic link belongs to the user 12345"
    ):
        trusted_path(tmp_path / "link/folder")


def test_endless_links_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=f"{tmp_path}/[ab]"):
        trusted_path(tmp_path / "a/demo")


ACTIONS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: file_tree.read(folder, "link/a"),
    "write": lambda folder: file_tree.write(folder, "link/a", b"x", 0o666),
    "remove": lambda folder: file_tree.remove(folder, "link/a"),
    "remove_file": lambda folder: file_tree.remove_file(folder, "link/a"),
    "remove_tree": lambda folder: file_tree.remove_tree(folder, "link/a"),
    "make_directory": lambda folder: file_tree.make_directory(folder, "link", 0o777, exact=True),
    "make_directory below": lambda folder: file_tree.make_directory(folder, "link/b"),
    "remove_sockets": lambda folder: file_tree.remove_sockets(folder, "link"),
    "remove_leftovers": lambda folder: file_tree.remove_leftovers(folder, {"link"}),
    "names": lambda folder: file_tree.names(folder, "link"),
    "dots": lambda folder: file_tree.remove_tree(folder, "../victim"),
    "absolute": lambda folder: file_tree.remove_tree(folder, f"{folder.parent}/victim"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_no_action_follows_a_path_out_of_the_folder(folder: Path, victim: Path, action: str) -> None:
    (folder / "link").symlink_to(victim)
    before = victim.stat().st_mode
    with pytest.raises(ConfigRefused, match=r"symbolic link, which is not followed|is not below"):
        ACTIONS[action](folder)
    assert [path.name for path in victim.iterdir()] == ["a"]
    assert ((victim / "a").read_text(), victim.stat().st_mode) == ("mine", before)


def test_write_replaces_a_link_and_not_its_target(folder: Path, victim: Path) -> None:
    (folder / "a").symlink_to(victim / "a")
    (folder / f".a{file_tree.UNFINISHED_SUFFIX}").symlink_to(victim / "a")
    file_tree.write(folder, "a", b"x", 0o600)
    assert (victim / "a").read_text() == "mine"
    assert not (folder / "a").is_symlink()


def test_remove_tree_keeps_what_links_in_it_lead_to(folder: Path, victim: Path) -> None:
    (folder / "tree/sub").mkdir(parents=True)
    (folder / "tree/sub/link").symlink_to(victim)
    file_tree.remove_tree(folder, "tree")
    assert (list(folder.iterdir()), (victim / "a").read_text()) == ([], "mine")


def test_replaced_directory_does_not_redirect_a_write(
    folder: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user replaces the directory after it was opened and before the file is written."""
    (folder / "edge").mkdir()
    original = os.fchmod

    def replace_directory(descriptor: int, mode: int) -> None:
        original(descriptor, mode)
        (folder / "edge").rename(folder / "moved")
        (folder / "edge").symlink_to(victim)

    monkeypatch.setattr(os, "fchmod", replace_directory)
    file_tree.write(folder, "edge/a", b"x", 0o600)
    assert (victim / "a").read_text() == "mine"
    assert (folder / "moved/a").read_text() == "x"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_read_refuses_what_is_no_regular_file(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "a")
    with pytest.raises(ConfigRefused, match=f"^{folder}/a: this (is not a regular file|path is a directory)"):
        file_tree.read(folder, "a")


def test_errors_have_the_whole_path(folder: Path) -> None:
    (folder / "a").mkdir()
    with pytest.raises(OSError, match=f"'{folder}/a'"):
        file_tree.write(folder, "a", b"x", 0o600)
