# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories below a folder: written atomically, with exact modes whatever the umask is, never through a symbolic link."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    LOCK,
    REFUSED,
    STAGING,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

UNFINISHED_SUFFIX = ".meshlab-unfinished"


def require_no_symlink(folder: Path, path: str) -> None:
    """Raise ConfigRefused when `path`, or a directory above it below `folder`, is a symbolic link."""
    current = folder
    for part in PurePosixPath(path).parts:
        current = current / part
        try:
            if stat.S_ISLNK(current.lstat().st_mode):
                raise ConfigRefused(
                    f"{current} is a symbolic link, which is not followed. Replace it with a file or directory.",
                    path,
                )
        except (FileNotFoundError, NotADirectoryError):
            return


def read(path: Path) -> tuple[bytes, int] | None:
    """Return the content and the permission bits of the file `path`, or None when it does not exist.

    Raises:
        ConfigRefused: The path is a directory, is below a file, or cannot be read by this user.
    """
    try:
        with open(path, "rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ConfigRefused(
            "a parent of this path is a file on the host. Remove that file.", str(path)
        ) from None
    except IsADirectoryError:
        raise ConfigRefused("this path is a directory on the host. Remove it.", str(path)) from None
    except PermissionError:
        raise ConfigRefused(
            "the user of this task cannot read this file. Use become, or change the owner of the file.",
            str(path),
        ) from None


def make_directory(path: Path, mode: int = 0o755, exact: bool = False) -> None:
    """Create `path` and its parents with `mode`; with `exact`, set the mode of an existing directory too."""
    if not path.is_dir():
        make_directory(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        exact = True
    if exact:
        path.chmod(mode)


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` in one step: a reader gets the whole old or the whole new content, also after a crash."""
    unfinished = path.with_name(f".{path.name}{UNFINISHED_SUFFIX}")
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
    _sync_directory(path.parent)


def remove(folder: Path, path: str) -> None:
    """Remove the file `path` and the directories above it that are then empty, up to `folder`."""
    (folder / path).unlink(missing_ok=True)
    for parent in (folder / path).parents:
        if parent == folder or not remove_empty_directory(parent):
            return


def remove_empty_directory(path: Path) -> bool:
    """Remove the directory `path` when it is empty; return whether it no longer exists."""
    try:
        path.rmdir()
    except OSError:
        return not path.exists()
    return True


def remove_leftovers(folder: Path, directories: set[str]) -> None:
    """Remove what an interrupted run left: the staged copy, refused configurations, and unfinished files in `directories`."""
    for name in (STAGING, REFUSED):
        remove_tree(folder / name)
    for directory in directories:
        for unfinished in (folder / directory).glob(f".*{UNFINISHED_SUFFIX}"):
            unfinished.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a directory with its content; of a symbolic link, only the link."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder while the context is open. Raises ConfigRefused when another run has locked it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise ConfigRefused(
                f"{folder}: another run (process {holder}) is changing this folder. Run again after it has ended."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def refusing_os_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of writing below `folder` into ConfigRefused."""
    try:
        yield
    except PermissionError as error:
        raise ConfigRefused(
            f"{error.filename or folder}: the user of this task cannot write here. Use become, or change the owner."
        ) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ConfigRefused(
            f"{error.filename or folder}: {error_text(error)}. Remove or rename it."
        ) from None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
