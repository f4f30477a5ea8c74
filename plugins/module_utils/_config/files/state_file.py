# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state file of a folder: which files the collection wrote, and which checks have passed.

A run removes only files that the state file lists. The state file is untrusted input: without checks, a user that can modify it could
make a run with more permissions remove files outside the folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
    RecordError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    STATE_FILE,
    is_safe_path,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree

# The format of the state file. A state file without a format is older than 1.0.0 and has the same keys.
FORMAT = 1
ABOUT = (
    "Written by meshlab.envoy. It lists the files that meshlab.envoy wrote here: only these are ever removed."
)
RECORD_TYPES = {
    "digest": str,
    "ends": int,
    "names": list,
    "days": int,
    "renew_days": int,
    "authority": str,
}


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value[key], kind) and not isinstance(value[key], bool)
        for key, kind in RECORD_TYPES.items()
        if key in value
    )


def _is_mapping_of(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(is_valid, value.values()))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


# For each key of the file: whether a value is valid, and what it has to be.
SCHEMA: dict[str, tuple[Callable[[Any], bool], str]] = {
    "files": (_is_mapping_of(_is_texts), "a list of digests for each path"),
    "directories": (_is_texts, "a list of paths"),
    "certificates": (_is_mapping_of(_is_record), "a record for each directory"),
    "checks": (_is_mapping_of(_is_text), "a digest for each check"),
    "unconfirmed": (_is_texts, "a list of paths"),
    "location": (_is_text, "text"),
    "sensitive": (_is_texts, "a list of paths"),
    "complete": (_is_flag, "true or false"),
}


def sha256(content: bytes) -> str:
    """Return the SHA-256 digest of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class FolderState:
    """The state of a folder after the last run.

    Attributes:
        files: For each path, the SHA-256 digests of the contents that the collection wrote: two while a change is in progress.
        directories: Paths of the directories that the collection created.
        certificates: For each directory of a certificate, the data by which a renewal is decided (`certificates/authority.py`).
        checks: For each check, the digest of its input when it passed.
        unconfirmed: Watched files that were replaced, and that their proxy has not confirmed.
        location: The platform, and for pods the API server and the namespace, on which the files are used. Empty when the files
            were not deployed.
        sensitive: Paths of the files with secrets, whose content no later diff shows.
        deployed: What the plan decided and a later plan must not decide differently.
        complete: Whether the last run deployed all files, so that a later run which fails can return to them.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    unconfirmed: list[str] = field(default_factory=list)
    location: str = ""
    sensitive: list[str] = field(default_factory=list)
    deployed: DeploymentRecord = field(default_factory=DeploymentRecord)
    complete: bool = False

    def to_bytes(self) -> bytes:
        """Return the content of the state file."""
        return (json.dumps({"about": ABOUT, "format": FORMAT, **asdict(self)}, indent=1) + "\n").encode()

    def during_change_to(self, desired: FolderState, unconfirmed: Iterable[str] = ()) -> FolderState:
        """Return the state that is true at any moment of a change to `desired`, wherever the change is interrupted."""
        files = {
            path: list(dict.fromkeys(self.files.get(path, []) + desired.files.get(path, [])))
            for path in [*self.files, *desired.files]
        }
        directories = list(dict.fromkeys([*self.directories, *desired.directories]))
        # The records of certificates and checks name digests of contents, so they are true before the contents are written.
        return FolderState(
            files,
            directories,
            desired.certificates,
            desired.checks,
            sorted(unconfirmed),
            desired.location,
            sorted({*self.sensitive, *desired.sensitive}),
            desired.deployed,
        )


def load(folder: Path) -> FolderState:
    """Return the state of `folder`, or an empty state when it has no state file.

    Raises:
        ConfigRefused: The state file was modified: it is a symbolic link, belongs to another user, can be changed by other users, has a
            value of a wrong type, or lists a path that is not below the folder, also by way of a symbolic link. Or its format is
            newer than `FORMAT`, or the folder is not trusted (`trusted_folder`).
    """
    folder = folder.expanduser().absolute()
    content = file_tree.read(folder, STATE_FILE, own=True)
    if content is None:
        return FolderState()
    path = folder / STATE_FILE
    try:
        data = json.loads(content[0])
    except (ValueError, RecursionError):
        raise _modified(path, "it is not JSON") from None
    if not isinstance(data, dict):
        raise _modified(path, "it is not an object of JSON")
    _require_known_format(folder, data.get("format", 0))
    for key, (is_valid, description) in SCHEMA.items():
        if key in data and not is_valid(data[key]):
            raise _modified(path, f"{key} is not {description}")
    state = FolderState(**{key: data[key] for key in SCHEMA if key in data})
    state.deployed = _deployed(path, data.get("deployed", {}))
    _require_paths_below(folder, state)
    return state


def save(folder: Path, state: FolderState) -> None:
    """Write the state file of `folder`."""
    file_tree.write(folder.expanduser().absolute(), STATE_FILE, state.to_bytes(), 0o600)


def _require_known_format(folder: Path, found: Any) -> None:
    if not isinstance(found, int):
        raise _modified(folder / STATE_FILE, "format is not a number")
    if found > FORMAT:
        raise ConfigRefused(
            f"{folder} was deployed by a newer version of meshlab.envoy: the format of the file is {found}, and this version supports"
            f" {FORMAT}. Update the collection, or tear down the deployment with the version that made it.",
            str(folder / STATE_FILE),
        )


def _modified(path: Path, fault: str) -> ConfigRefused:
    return ConfigRefused(
        f"{fault}. The file was modified. Delete it: then no file of an earlier run is removed.", str(path)
    )


def _require_paths_below(folder: Path, state: FolderState) -> None:
    for path in [*state.files, *state.directories, *state.sensitive, *state.unconfirmed]:
        if not is_safe_path(path):
            raise _modified(folder / STATE_FILE, f"it lists {path!r}, which is not a path below {folder}")
    parents = {str(PurePosixPath(path).parent) for path in state.files}
    for path in sorted(parents.union(state.directories)):
        file_tree.require_no_symlink(folder, path)


def _deployed(path: Path, data: Any) -> DeploymentRecord:
    try:
        return DeploymentRecord.read(data)
    except RecordError as error:
        raise ConfigRefused(
            f"deployed.{error}. The file was modified. Remove its key 'deployed': the next deployment then chooses ports again.",
            str(path),
        ) from None
