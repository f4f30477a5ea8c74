# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders below one folder: modes whatever the umask, whole or not at all, never through a symlink."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import LOCK, STAGING
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

UNFINISHED = ".meshlab-unfinished"


def no_symlinks(folder: Path, path: str) -> None:
    """Raise ConfigRefused when `path` below `folder` leads through a symlink."""
    here = folder
    for part in PurePosixPath(path).parts:
        here = here / part
        try:
            if stat.S_ISLNK(here.lstat().st_mode):
                raise ConfigRefused(
                    f"is, or lies behind, the symlink {here}: put a real one in its place.", path
                )
        except (FileNotFoundError, NotADirectoryError):
            return


def read(path: Path) -> tuple[bytes, int] | None:
    """Return content and mode of the regular file `path`, None when there is none. Raises ConfigRefused."""
    try:
        with open(path, "rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ConfigRefused(
            "cannot be written: a folder on its way is a file on this host.", str(path)
        ) from None
    except IsADirectoryError:
        raise ConfigRefused("is a folder on this host and wanted as a file: remove it.", str(path)) from None
    except PermissionError:
        raise ConfigRefused(
            "cannot be read by the user of this task: use become, or make it theirs.", str(path)
        ) from None


def make_folder(path: Path, mode: int = 0o755, exact: bool = False) -> None:
    """Make `path` and its parents; `mode` is set where it is made, and with `exact` also where it was there already."""
    if not path.is_dir():
        make_folder(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        exact = True
    if exact:
        path.chmod(mode)


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` by `content` in one step: who reads it sees all of the old or all of the new, after a crash too."""
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove(folder: Path, path: str) -> None:
    """Remove the file `path` and the folders above it that are empty then, up to `folder`."""
    (folder / path).unlink(missing_ok=True)
    for parent in (folder / path).parents:
        if parent == folder or not remove_folder(parent):
            return


def remove_folder(path: Path) -> bool:
    """Remove `path` when it is an empty folder; say whether it is gone."""
    try:
        path.rmdir()
    except OSError:
        return not path.exists()
    return True


def sweep(folder: Path, below: set[str]) -> None:
    """Remove what an interrupted run left: its staging, and unfinished files in the folders `below`."""
    discard(folder / STAGING)
    for one in below:
        for left in (folder / one).glob(f".*{UNFINISHED}"):
            left.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a folder that this layer made itself."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second run. Raises ConfigRefused when there is one already."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise ConfigRefused(
                f"Another run (process {holder}) is changing {folder}: wait for its end and run again."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
