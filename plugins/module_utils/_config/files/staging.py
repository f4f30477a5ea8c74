# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private copy of the desired files, which the checks read. It is removed after them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    STAGING,
    Directory,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree


@dataclass(frozen=True)
class StagedFolder:
    """The two directories of a staged copy.

    Attributes:
        tree: The copy that checks read, also as the user of a container.
        private: The directory in which keys are created. Only the user of the task can enter it.
    """

    tree: Path
    private: Path


@contextlib.contextmanager
def staged_folder(folder: Path | None) -> Iterator[StagedFolder]:
    """Create the directories of a staged copy below `folder`, or below the directory for temporary files when it is None."""
    base = folder / STAGING if folder else Path(tempfile.mkdtemp(prefix="meshlab-envoy-"))
    file_tree.remove_tree(base)
    base.mkdir(0o700)
    try:
        staged = StagedFolder(base / "tree", base / "private")
        file_tree.make_directory(staged.tree, 0o755)
        file_tree.make_directory(staged.private, 0o700)
        yield staged
    finally:
        file_tree.remove_tree(base)


def fill(tree: Path, files: Sequence[File], directories: Sequence[Directory]) -> None:
    """Write `files` and `directories` below `tree`, except the private key of the authority, which no check reads."""
    for directory in directories:
        file_tree.make_directory(tree / directory.path, directory.mode, exact=True)
    for file in files:
        if file.path == f"{AUTHORITY}/ca.key":
            continue
        path = tree / file.path
        file_tree.make_directory(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as target:
            target.write(file.content)
            os.fchmod(target.fileno(), file.mode)
