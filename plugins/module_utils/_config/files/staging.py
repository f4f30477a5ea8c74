# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private copy of what is wanted, for the checks to look at; gone when they are done."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    STAGING,
    Directory,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree


@dataclass(frozen=True)
class Place:
    """`tree` is what checks see (readable for the user of a container); `private` is for keys that are being made."""

    tree: Path
    private: Path


@contextlib.contextmanager
def staging(folder: Path | None) -> Iterator[Place]:
    """Make a place below `folder`, which others may not enter; elsewhere when nothing may be written there."""
    base = folder / STAGING if folder else Path(tempfile.mkdtemp(prefix="meshlab-envoy-"))
    file_tree.discard(base)
    base.mkdir(0o700)
    try:
        place = Place(base / "tree", base / "private")
        file_tree.make_folder(place.tree, 0o755)
        file_tree.make_folder(place.private, 0o700)
        yield place
    finally:
        file_tree.discard(base)


def fill(where: Path, files: Sequence[File], directories: Sequence[Directory]) -> None:
    """Write `files` and `directories` below `where`; the authority's key is nobody's business there."""
    for one in directories:
        file_tree.make_folder(where / one.path, one.mode, exact=True)
    for file in files:
        if file.path == "ca/ca.key":
            continue
        path = where / file.path
        file_tree.make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as target:
            target.write(file.content)
            os.fchmod(target.fileno(), file.mode)
