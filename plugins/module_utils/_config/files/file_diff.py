# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is on the host against what is wanted: the differences, and how they look in a diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Directory, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import (
    FolderState,
    sha256,
)

HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Difference:
    """A file that is not as it is wanted. `wanted` is None for one to be removed, `old` for one to be made."""

    path: str
    old: bytes | None
    old_mode: int | None
    wanted: File | None

    @property
    def content_differs(self) -> bool:
        return self.wanted is None or self.old != self.wanted.content

    @property
    def shown(self) -> dict[str, Any]:
        """One entry of Ansible's diff."""
        stands = self.wanted.shown if self.wanted else HIDDEN if self.path.endswith((".key", ".crt")) else ""
        old, new = _text(self.old, stands), _text(self.wanted.content if self.wanted else None, stands)
        if stands and old and new and self.content_differs:
            new += "(another one than before)\n"
        return {
            "before": old,
            "after": new,
            "before_header": _header(self.path, self.old_mode),
            "after_header": _header(self.path, self.wanted.mode if self.wanted else None),
        }


@dataclass(frozen=True)
class Differences:
    files: tuple[Difference, ...]
    directories: tuple[Directory, ...]
    # Paths of files and of directories that the last run made and nobody wants any more; files that were edited since.
    gone: tuple[Difference, ...]
    gone_directories: tuple[str, ...]
    edited: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.files or self.directories or self.gone)


def compare(
    folder: Path,
    files: Sequence[File],
    directories: Sequence[Directory],
    manifest: FolderState,
    targets: Mapping[str, ConfigTarget],
) -> Differences:
    """Return what differs in `folder`, and of watched files at their proxy's place, by proxy, where that is elsewhere.

    Raises ConfigRefused for symlinks and for what is in the way.
    """
    differing = []
    for file in files:
        file_tree.no_symlinks(folder, file.path)
        found = file_tree.read(folder / file.path)
        given = targets[file.live].read(file.path) if file.live and file.live in targets else None
        if (
            found != (file.content, file.mode)
            or given not in (None, file.content)
            or (file.live and file.path in manifest.unconfirmed)
        ):
            old, old_mode = found or (None, None)
            if given is not None:
                old, old_mode = given, old_mode or file.mode
            differing.append(Difference(file.path, old, old_mode, file))
    for one in directories:
        file_tree.no_symlinks(folder, one.path)
    folders = [one for one in directories if _mode(folder / one.path) != one.mode]
    gone, edited = _gone(folder, {file.path for file in files}, manifest)
    wanted_folders = {one.path for one in directories}
    gone_folders = [
        path for path in manifest.directories if path not in wanted_folders and (folder / path).is_dir()
    ]
    return Differences(tuple(differing), tuple(folders), tuple(gone), tuple(gone_folders), tuple(edited))


def shown(differences: Differences) -> list[dict[str, Any]]:
    """Return Ansible's diff of all of them."""
    folders = [
        {
            "before": "",
            "after": "",
            "before_header": f"{one.path}/",
            "after_header": f"{one.path}/ (mode {one.mode:04o})",
        }
        for one in differences.directories
    ]
    return [*(one.shown for one in differences.files), *folders, *(one.shown for one in differences.gone)]


def _gone(folder: Path, wanted: Iterable[str], manifest: FolderState) -> tuple[list[Difference], list[str]]:
    keep = set(wanted)
    gone, edited = [], []
    for path, digests in manifest.files.items():
        if path in keep or (folder / path).is_symlink() or not (folder / path).is_file():
            continue
        found = file_tree.read(folder / path)
        if found and sha256(found[0]) in digests:
            gone.append(Difference(path, *found, None))
        elif found:
            edited.append(path)
    return gone, edited


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o7777 if path.is_dir() else None
    except OSError:
        return None


def _text(content: bytes | None, stands: str) -> str:
    if content is None:
        return ""
    return f"{stands}\n" if stands else content.decode(errors="replace")


def _header(path: str, mode: int | None) -> str:
    return f"{path} (absent)" if mode is None else f"{path} (mode {mode:04o})"
