# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The differences between the files on the host and the desired files, and how a diff shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    SENSITIVE,
    Directory,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import (
    FolderState,
    sha256,
)

HIDDEN = "(not shown)"
HIDDEN_SUFFIXES = (".key", ".crt")
PRIVATE_KEY = b"PRIVATE KEY-----"


class DiffEntry(TypedDict):
    """One entry of Ansible's diff: the text of a file, and a header with its path and mode, before and after the change."""

    before: str
    after: str
    before_header: str
    after_header: str


@dataclass(frozen=True)
class FileDifference:
    """A file that differs from the desired one.

    Attributes:
        path: Path relative to the folder.
        old: Content on the host. None when the file does not exist.
        old_mode: Permission bits on the host. None when the file does not exist.
        desired: The desired file. None when the file is to be removed.
        was_sensitive: Whether the content on the host has secrets.
    """

    path: str
    old: bytes | None
    old_mode: int | None
    desired: File | None
    was_sensitive: bool = False

    @property
    def content_differs(self) -> bool:
        """Return whether the content differs, and not only the mode."""
        return self.desired is None or self.old != self.desired.content

    @property
    def _has_private_key(self) -> bool:
        contents = (self.old, self.desired.content if self.desired else None)
        return any(PRIVATE_KEY in content for content in contents if content)

    @property
    def ansible_diff(self) -> DiffEntry:
        """Return the entry of Ansible's diff."""
        if self.desired:
            shown_as = self.desired.shown_as
        else:
            shown_as = HIDDEN if self.path.endswith(HIDDEN_SUFFIXES) else ""
        if not shown_as and (self.was_sensitive or self._has_private_key):
            shown_as = SENSITIVE
        before = _shown(self.old, shown_as)
        after = _shown(self.desired.content if self.desired else None, shown_as)
        if shown_as and before and after and self.content_differs:
            after += "(a different one)\n"
        return {
            "before": before,
            "after": after,
            "before_header": _header(self.path, self.old_mode),
            "after_header": _header(self.path, self.desired.mode if self.desired else None),
        }


@dataclass(frozen=True)
class Differences:
    """All differences between a folder and its desired content.

    Attributes:
        files: Files to write.
        directories: Directories to create, or whose mode differs.
        removed: Files of an earlier run that are no longer desired.
        removed_directories: Paths of directories of an earlier run that are no longer desired.
        edited: Paths of files of an earlier run that are no longer desired but were edited since. They are not removed.
    """

    files: tuple[FileDifference, ...] = ()
    directories: tuple[Directory, ...] = ()
    removed: tuple[FileDifference, ...] = ()
    removed_directories: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether a change is needed."""
        return bool(self.files or self.directories or self.removed)


def compare(
    folder: Path,
    files: Sequence[File],
    directories: Sequence[Directory],
    state: FolderState,
    targets: Mapping[str, ConfigTarget],
) -> Differences:
    """Return the differences between a folder and its desired content.

    Args:
        folder: The folder on the host.
        files: The desired files, certificates included.
        directories: The desired directories.
        state: The state after the last run.
        targets: For each proxy that reads its watched files from elsewhere, its target, whose content is compared too.

    Raises:
        ConfigRefused: A path leads through a symbolic link, or is a directory instead of a file.
    """
    file_differences = []
    for file in files:
        found = file_tree.read(folder, file.path)
        deployed = targets[file.live].read(file.path) if file.live and file.live in targets else None
        if (
            found != (file.content, file.mode)
            or deployed not in (None, file.content)
            or (file.live and file.path in state.unconfirmed)
        ):
            old, old_mode = found or (None, None)
            if deployed is not None:
                old, old_mode = deployed, old_mode or file.mode
            file_differences.append(
                FileDifference(file.path, old, old_mode, file, file.path in state.sensitive)
            )
    for directory in directories:
        file_tree.require_no_symlink(folder, directory.path)
    desired_directories = {directory.path for directory in directories}
    removed, edited = _removed_files(folder, {file.path for file in files}, state)
    return Differences(
        tuple(file_differences),
        tuple(directory for directory in directories if _mode(folder / directory.path) != directory.mode),
        tuple(removed),
        tuple(
            path for path in state.directories if path not in desired_directories and (folder / path).is_dir()
        ),
        tuple(edited),
    )


def restore(folder: Path, difference: FileDifference, content: bytes | None = None) -> None:
    """Write the previous content of a file, or `content` in place of it, with the previous mode. Remove a file that is new."""
    wanted = difference.old if content is None else content
    if wanted is None or difference.old_mode is None:
        file_tree.remove(folder, difference.path)
    elif file_tree.read(folder, difference.path) != (wanted, difference.old_mode):
        file_tree.write(folder, difference.path, wanted, difference.old_mode)


def ansible_diff(differences: Differences) -> list[DiffEntry]:
    """Return Ansible's diff of all differences."""
    directories: list[DiffEntry] = [
        {
            "before": "",
            "after": "",
            "before_header": f"{directory.path}/",
            "after_header": f"{directory.path}/ (mode {directory.mode:04o})",
        }
        for directory in differences.directories
    ]
    return [
        *(difference.ansible_diff for difference in differences.files),
        *directories,
        *(difference.ansible_diff for difference in differences.removed),
    ]


def _removed_files(
    folder: Path, desired: Iterable[str], state: FolderState
) -> tuple[list[FileDifference], list[str]]:
    keep = set(desired)
    removed, edited = [], []
    for path, digests in state.files.items():
        if path in keep or (folder / path).is_symlink() or not (folder / path).is_file():
            continue
        found = file_tree.read(folder, path)
        if found and sha256(found[0]) in digests:
            removed.append(FileDifference(path, *found, None, path in state.sensitive))
        elif found:
            edited.append(path)
    return removed, edited


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o7777 if path.is_dir() else None
    except OSError:
        return None


def _shown(content: bytes | None, shown_as: str) -> str:
    if content is None:
        return ""
    return f"{shown_as}\n" if shown_as else content.decode(errors="replace")


def _header(path: str, mode: int | None) -> str:
    return f"{path} (absent)" if mode is None else f"{path} (mode {mode:04o})"
