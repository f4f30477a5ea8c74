# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private copy of the desired files, which the checks read. It is removed after them."""

from __future__ import annotations

import contextlib
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
    with contextlib.ExitStack() as stack:
        if folder is None:
            # A directory of this user, with mode 0700.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meshlab-envoy-")))
        file_tree.remove_tree(folder, STAGING)
        stack.callback(file_tree.remove_tree, folder, STAGING)
        file_tree.make_directory(folder, STAGING, 0o700)
        file_tree.make_directory(folder, f"{STAGING}/tree", 0o755)
        file_tree.make_directory(folder, f"{STAGING}/private", 0o700)
        yield StagedFolder(folder / STAGING / "tree", folder / STAGING / "private")


def fill(tree: Path, files: Sequence[File], directories: Sequence[Directory]) -> None:
    """Write `files` and `directories` below `tree`, except the private key of the authority, which no check reads."""
    for directory in directories:
        file_tree.make_directory(tree, directory.path, directory.mode, exact=True)
    for file in files:
        if file.path != f"{AUTHORITY}/ca.key":
            file_tree.write(tree, file.path, file.content, file.mode, durable=False)
