# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New files that wait in the staging directory until all of them are on the disk, and are then moved to their paths."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import STAGING
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree

NEW = f"{STAGING}/new"


class StagedFiles:
    """The new files of one transaction. A full disk is noticed before any deployed file is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[str] = []

    def add(self, path: str, content: bytes, mode: int) -> None:
        """Write a file to the staging directory. Raises OSError, whose `filename` is the path of the deployed file."""
        try:
            file_tree.write(self._folder, f"{NEW}/{len(self._paths)}", content, mode, durable_name=False)
        except OSError as error:
            error.filename = str(self._folder / path)
            raise
        self._paths.append(path)

    def replace(self) -> None:
        """Move all files to their paths."""
        for number, path in enumerate(self._paths):
            file_tree.move(self._folder, f"{NEW}/{number}", path)
        file_tree.sync_directories(self._folder, self._paths)


@contextlib.contextmanager
def staged_files(folder: Path) -> Iterator[StagedFiles]:
    """Yield staged files; those that were not moved are removed at the end."""
    try:
        yield StagedFiles(folder)
    finally:
        file_tree.remove_tree(folder, STAGING)
