# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the last run wrote: so that nothing else is ever removed, and what was found right is not checked again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import STATE_FILE
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class FolderState:
    """`files` has for each path the digests that are this collection's own: two while a change is under way."""

    files: dict[str, list[str]] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    # Watched files that were swapped, and whose proxy did not say yet that it took them.
    unconfirmed: list[str] = field(default_factory=list)
    # Where what was written runs (`Platform.where`): a folder is of one place. '' where nothing was run, or nobody said.
    location: str = ""

    def to_bytes(self) -> bytes:
        about = "Written by meshlab.envoy: which files here are its own. Without it nothing is ever removed."
        return (json.dumps({"about": about, **asdict(self)}, indent=1) + "\n").encode()

    def with_pending(self, wanted: FolderState, unconfirmed: Iterable[str] = ()) -> FolderState:
        """Return what holds while a change from this to `wanted` is under way, wherever it is interrupted."""
        files = {
            path: list(dict.fromkeys(self.files.get(path, []) + wanted.files.get(path, [])))
            for path in [*self.files, *wanted.files]
        }
        folders = list(dict.fromkeys([*self.directories, *wanted.directories]))
        # Records of certificates and checks name digests: they hold for those contents, whatever is written by now.
        return FolderState(
            files, folders, wanted.certificates, wanted.checks, sorted(unconfirmed), wanted.location
        )


def load(folder: Path) -> FolderState:
    """Return the folder's manifest; an empty one where there is none, or none that can be understood."""
    found = file_tree.read(folder / STATE_FILE)
    try:
        data = json.loads(found[0]) if found else {}
        return FolderState(
            {str(path): [str(one) for one in digests] for path, digests in data.get("files", {}).items()},
            [str(path) for path in data.get("directories", ())],
            dict(data.get("certificates", {})),
            dict(data.get("checks", {})),
            [str(path) for path in data.get("unconfirmed", ())],
            str(data.get("location") or ""),
        )
    except (ValueError, AttributeError, TypeError):
        return FolderState()


def save(folder: Path, manifest: FolderState) -> None:
    file_tree.write(folder / STATE_FILE, manifest.to_bytes(), 0o600)
