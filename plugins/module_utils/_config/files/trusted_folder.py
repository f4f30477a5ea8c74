# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that only the user of the task can change, and descriptors of the directories in it.

A path is resolved one directory at a time, each relative to the descriptor of the previous one. So a user who replaces a directory
between a check and a write cannot redirect a run that has more permissions.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

LINKS = 40  # symbolic links on the way to a folder, as Linux allows
ROOT = 0  # user id
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A directory on the way to the folder need not be readable. macOS has no O_PATH.
PASSAGE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NOT_A_DIRECTORY = (errno.ELOOP, errno.ENOTDIR)


def trusted_path(folder: Path) -> Path:
    """Return the absolute path of a folder without symbolic links. The end of the path may not exist yet.

    Raises:
        ConfigRefused: The folder is not trusted, see `opened_folder`.
        OSError: A directory on the way cannot be entered.
    """
    way = _walk(folder, create=False)
    try:
        if not way.missing:
            _check(os.fstat(way.descriptor), way.path, "folder")
        return way.path.joinpath(*way.missing)
    finally:
        os.close(way.descriptor)


def home_folders() -> set[Path]:
    """Return the home of the user of the task, by its environment and by the user database, without symbolic links."""
    with contextlib.suppress(KeyError):
        return {Path.home().resolve(), Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()}
    return {Path.home().resolve()}


@contextlib.contextmanager
def opened_folder(folder: Path, create: bool = False) -> Iterator[int]:
    """Yield a descriptor of a folder that belongs to the user of the task and that no other user can write to.

    A symbolic link on the way is followed if the user of the task or root owns it.

    Args:
        folder: The folder, absolute.
        create: Whether to create the folder, with mode 0700, and the directories on the way to it.

    Raises:
        ConfigRefused: Another user owns the folder or a symbolic link on the way, or others can write to the folder.
        OSError: The folder does not exist, or cannot be opened. Its `filename` is the path.
    """
    way = _walk(folder, create)
    try:
        if way.missing:
            missing = way.path.joinpath(*way.missing)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(missing))
        _check(os.fstat(way.descriptor), way.path, "folder")
        with naming(way.path):
            readable = os.open(".", DIRECTORY, dir_fd=way.descriptor)
    finally:
        os.close(way.descriptor)
    try:
        yield readable
    finally:
        os.close(readable)


@contextlib.contextmanager
def opened_directory(folder: Path, path: str, create: bool = False) -> Iterator[int]:
    """Yield a descriptor of the directory `path` below a folder. No symbolic link below the folder is followed.

    Args:
        folder: The folder, absolute.
        path: Path of the directory relative to the folder. `.` is the folder.
        create: Whether to create missing directories, with mode 0755; the folder itself has mode 0700.

    Raises:
        ConfigRefused: The folder is not trusted, or a directory of the path is a symbolic link.
        OSError: A directory does not exist or is a file. Its `filename` is the path.
    """
    if ".." in PurePosixPath(path).parts or path.startswith("/"):
        raise ConfigRefused(f"this path is not below {folder}. Use a relative path without '..'.", path)
    with contextlib.ExitStack() as opened, opened_folder(folder, create) as top:
        current, descriptor = folder, top
        for part in PurePosixPath(path).parts:
            current = current / part
            if create:
                _make(part, 0o755, descriptor, current)
            try:
                with naming(current):
                    descriptor = os.open(part, DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                if error.errno in NOT_A_DIRECTORY and is_link(part, descriptor):
                    raise link_refused(current) from None
                raise
            opened.callback(os.close, descriptor)
        yield descriptor


def link_refused(path: Path) -> ConfigRefused:
    """Return the error about a symbolic link below a folder."""
    return ConfigRefused(
        "this is a symbolic link, which is not followed. Replace it with a file or directory.", str(path)
    )


def check_own_file(descriptor: int, path: Path) -> None:
    """Raise ConfigRefused unless an opened file is a regular one, belongs to the user of the task, and no other user can write to it."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigRefused("this is not a regular file. Remove it.", str(path))
    _check(status, path, "file")


def is_link(name: str, descriptor: int) -> bool:
    """Return whether an entry of an opened directory is a symbolic link."""
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
    except OSError:
        return False


@dataclass
class _Way:
    """An opened directory, its path without symbolic links, and the names below it that do not exist."""

    descriptor: int
    path: Path
    missing: tuple[str, ...] = ()


def _walk(folder: Path, create: bool) -> _Way:
    pending = [*reversed(folder.expanduser().absolute().parts[1:])]
    way = _Way(os.open("/", PASSAGE), Path("/"))
    links = 0
    try:
        while pending:
            name = pending.pop()
            current = way.path / name
            try:
                with naming(current):
                    entered = os.open(name, PASSAGE, dir_fd=way.descriptor)
            except FileNotFoundError:
                if not create:
                    way.missing = (name, *reversed(pending))
                    return way
                _make(name, 0o755 if pending else 0o700, way.descriptor, current)
                pending.append(name)
                continue
            except OSError as error:
                if error.errno not in NOT_A_DIRECTORY or not is_link(name, way.descriptor) or links == LINKS:
                    raise
                links += 1
                target = Path(_trusted_target(name, way.descriptor, current))
                pending += reversed(target.parts[1:] if target.is_absolute() else target.parts)
                if not target.is_absolute():
                    continue
                entered, current = os.open("/", PASSAGE), Path("/")
            os.close(way.descriptor)
            way.descriptor, way.path = entered, current.parent.parent if name == ".." else current
    except BaseException:
        os.close(way.descriptor)
        raise
    return way


def _trusted_target(name: str, descriptor: int, path: Path) -> str:
    """Return the target of a symbolic link that the user of the task or root made."""
    owner = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_uid
    if owner not in (os.geteuid(), ROOT):
        raise ConfigRefused(
            f"this symbolic link belongs to the user {_user(owner)}, and that user can change its target. Use another path.",
            str(path),
        )
    return os.readlink(name, dir_fd=descriptor)


def _make(name: str, mode: int, descriptor: int, path: Path) -> None:
    """Create a directory with an exact mode, whatever the umask is, unless it exists."""
    with contextlib.suppress(FileExistsError), naming(path):
        os.mkdir(name, 0o700, dir_fd=descriptor)
        created = os.open(name, DIRECTORY, dir_fd=descriptor)
        try:
            os.fchmod(created, mode)
        finally:
            os.close(created)


def _check(status: os.stat_result, path: Path, kind: str) -> None:
    if status.st_uid != os.geteuid():
        raise ConfigRefused(
            f"this {kind} belongs to the user {_user(status.st_uid)}, but this task runs as {_user(os.geteuid())}."
            f" Run as {_user(status.st_uid)}, or use another folder.",
            str(path),
        )
    if status.st_mode & WRITABLE_BY_OTHERS:
        raise ConfigRefused(
            f"other users can change this {kind}, because its mode is {stat.S_IMODE(status.st_mode):04o}."
            f" Check its content, then run: chmod go-w {path}.",
            str(path),
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Set the whole path in an error of a call on the last name of a path."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        error.filename2 = None
        raise
