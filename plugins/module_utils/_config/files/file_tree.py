# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories below a folder: written atomically, with exact modes whatever the umask is, never through a symbolic link.

In all functions, `folder` is an absolute path and `path` is relative to it. Each raises ConfigRefused for a folder that is not trusted
and for a symbolic link below it (`trusted_folder`), and OSError with the whole path as its `filename`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    REFUSED,
    STAGING,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.trusted_folder import (
    DIRECTORY,
    check_own_file,
    is_link,
    link_refused,
    naming,
    opened_directory,
)

UNFINISHED_SUFFIX = ".meshlab-unfinished"
# O_NONBLOCK: the open of a FIFO returns at once.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
ABSENT = (FileNotFoundError, NotADirectoryError)
# What to do about an error of the operating system, by its number.
REMEDIES = {
    errno.ENOSPC: "Free space or inodes on this file system",
    errno.EDQUOT: "Free space of this user's quota",
    errno.EROFS: "Use a folder on another file system, or mount this one writable",
    errno.EFBIG: "Raise the limit of the file size (ulimit -f)",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Raise the limit of open files of this host",
    errno.ENAMETOOLONG: "Use a shorter path",
    errno.EACCES: "Use become, or change the owner",
    errno.EPERM: "Use become, or change the owner",
    errno.EEXIST: "Remove or rename it",
    errno.ENOTDIR: "Remove or rename it",
    errno.EISDIR: "Remove or rename it",
}


def require_no_symlink(folder: Path, path: str) -> None:
    """Raise ConfigRefused when `path`, or a directory above it below `folder`, is a symbolic link."""
    with contextlib.suppress(*ABSENT), _opened_parent(folder, path) as (parent, name):
        if is_link(name, parent):
            raise link_refused(folder / path)


def read(folder: Path, path: str, own: bool = False) -> tuple[bytes, int] | None:
    """Return the content and the permission bits of a file, or None when it does not exist.

    Args:
        folder: The folder.
        path: Path of the file.
        own: Whether to refuse a file that belongs to another user, or that another user can write to.

    Raises:
        ConfigRefused: The path is not a regular file, is below a file, or cannot be read by this user.
    """
    where = str(folder / path)
    try:
        with _opened_parent(folder, path) as (parent, name):
            descriptor = os.open(name, READ, dir_fd=parent)
            try:
                status = os.fstat(descriptor)
                if stat.S_ISDIR(status.st_mode):
                    raise IsADirectoryError
                if own or not stat.S_ISREG(status.st_mode):
                    check_own_file(descriptor, folder / path)
                with open(descriptor, "rb", closefd=False) as file:
                    return file.read(), stat.S_IMODE(status.st_mode)
            finally:
                os.close(descriptor)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ConfigRefused("a parent of this path is a file on the host. Remove that file.", where) from None
    except IsADirectoryError:
        raise ConfigRefused("this path is a directory on the host. Remove it.", where) from None
    except PermissionError:
        raise ConfigRefused(
            "the user of this task cannot read this file. Use become, or change the owner of the file.", where
        ) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise link_refused(folder / path) from None
        if error.errno == errno.ENXIO:  # a Unix socket
            raise ConfigRefused("this is not a regular file. Remove it.", where) from None
        raise


def exists(folder: Path, path: str) -> bool:
    """Return whether there is a file, directory, socket or symbolic link at a path."""
    try:
        with _opened_parent(folder, path) as (parent, name):
            os.stat(name, dir_fd=parent, follow_symlinks=False)
    except ABSENT:
        return False
    return True


def make_directory(folder: Path, path: str, mode: int = 0o755, exact: bool = False) -> None:
    """Create a directory with `mode`, and its parents; with `exact`, set the mode of an existing directory too."""
    is_new = not exists(folder, path)
    with opened_directory(folder, path, create=True) as descriptor:
        if is_new or exact:
            os.fchmod(descriptor, mode)


def write(
    folder: Path, path: str, content: bytes, mode: int, durable: bool = True, durable_name: bool = True
) -> None:
    """Replace a file in one step: a reader gets the whole old or the whole new content. Its directory is created.

    Args:
        folder: The folder.
        path: Path of the file.
        content: The bytes of the file.
        mode: Permission bits.
        durable: Whether the file outlasts a crash of the host, for which this function waits.
        durable_name: Whether a durable file also keeps its name. A file that is moved later does not need it.
    """
    with _opened_parent(folder, path, create=True) as (parent, name):
        unfinished = f".{name}{UNFINISHED_SUFFIX}"
        _unlink(unfinished, parent)
        descriptor = os.open(unfinished, CREATE, 0o600, dir_fd=parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.rename(unfinished, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            _unlink(unfinished, parent)
            raise
        if durable and durable_name:
            os.fsync(parent)


def move(folder: Path, source: str, path: str) -> None:
    """Move a file to another path in one step, and replace the file there. The directory is created. See `sync_directories`."""
    with (
        _opened_parent(folder, source) as (old_parent, old_name),
        _opened_parent(folder, path, create=True) as (parent, name),
    ):
        os.rename(old_name, name, src_dir_fd=old_parent, dst_dir_fd=parent)


def sync_directories(folder: Path, paths: Iterable[str]) -> None:
    """Wait until moved files outlast a crash of the host. `paths` are their new paths; each directory is synchronized once."""
    for parent in sorted({os.path.dirname(path) or "." for path in paths}):
        with opened_directory(folder, parent) as descriptor:
            os.fsync(descriptor)


def remove(folder: Path, path: str) -> None:
    """Remove a file and the directories above it that are then empty, up to `folder`."""
    remove_file(folder, path)
    for parent in PurePosixPath(path).parents:
        if str(parent) == "." or not remove_empty_directory(folder, str(parent)):
            return


def remove_file(folder: Path, path: str) -> None:
    """Remove a file; of a symbolic link, only the link."""
    with contextlib.suppress(*ABSENT), _opened_parent(folder, path) as (parent, name):
        _unlink(name, parent)


def remove_empty_directory(folder: Path, path: str) -> bool:
    """Remove a directory when it is empty; return whether it no longer exists."""
    try:
        with _opened_parent(folder, path) as (parent, name):
            os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def remove_sockets(folder: Path, path: str) -> None:
    """Remove the Unix sockets in a directory: a process that was killed leaves them."""
    with contextlib.suppress(*ABSENT), opened_directory(folder, path) as descriptor:
        for name in os.listdir(descriptor):
            if stat.S_ISSOCK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                _unlink(name, descriptor)


def remove_leftovers(folder: Path, directories: set[str]) -> None:
    """Remove what an interrupted run left: the staged copy, refused configurations, and unfinished files in `directories`."""
    for name in (STAGING, REFUSED):
        remove_tree(folder, name)
    for directory in directories:
        with contextlib.suppress(*ABSENT), opened_directory(folder, directory) as descriptor:
            for name in os.listdir(descriptor):
                if name.startswith(".") and name.endswith(UNFINISHED_SUFFIX):
                    _unlink(name, descriptor)


def remove_tree(folder: Path, path: str) -> None:
    """Remove a directory with its content; of a symbolic link, only the link."""
    with contextlib.suppress(*ABSENT), _opened_parent(folder, path) as (parent, name):
        _remove_entry(name, parent)


def names(folder: Path, path: str = ".") -> list[str]:
    """Return the names in a directory; nothing when it does not exist."""
    try:
        with opened_directory(folder, path) as descriptor:
            return sorted(os.listdir(descriptor))
    except ABSENT:
        return []


@contextlib.contextmanager
def refusing_os_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of the operating system below `folder` into ConfigRefused."""
    try:
        yield
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        text = error_text(error)
        if isinstance(error, PermissionError):
            text = "the user of this task cannot write here"
        raise ConfigRefused(f"{error.filename or folder}: {text}. {REMEDIES[error.errno]}.") from None


@contextlib.contextmanager
def _opened_parent(folder: Path, path: str, create: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the directory of a path, and the name in it. Errors have the whole path."""
    parent, name = os.path.split(path)
    with opened_directory(folder, parent or ".", create) as descriptor, naming(folder / path):
        yield descriptor, name


def _unlink(name: str, descriptor: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=descriptor)


def _remove_entry(name: str, parent: int) -> None:
    try:
        descriptor = os.open(name, DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        _unlink(name, parent)
        return
    try:
        for entry in os.listdir(descriptor):
            _remove_entry(entry, descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=parent)
