# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a folder, which each run that changes the folder holds from its first check to its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import LOCK, STATE_FILE
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.trusted_folder import (
    check_own_file,
    is_link,
    link_refused,
    naming,
    opened_folder,
)

OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
ATTEMPTS = 5  # a lock whose file was removed before it was locked is opened again


@contextlib.contextmanager
def locked_folder(folder: Path, timeout: float = 0, removes_folder: bool = False) -> Iterator[None]:
    """Lock a folder while the context is open. A folder that does not exist is created.

    At the end, the lock is removed if the folder has no state file, and the folder if it is empty: a refused first run and a teardown
    leave nothing.

    Args:
        folder: The folder, absolute.
        timeout: Seconds to wait for another run that has locked the folder.
        removes_folder: Whether to remove an empty folder at the end even if it existed before.

    Raises:
        ConfigRefused: Another run has locked the folder, or the folder is not trusted (`trusted_folder`).
        OSError: The folder cannot be created or opened.
    """
    for _attempt in range(ATTEMPTS):
        with contextlib.ExitStack() as stack:
            is_new = not os.path.lexists(folder)
            try:
                parent = stack.enter_context(opened_folder(folder, create=True))
                descriptor = _opened_lock(folder, parent)
            except FileNotFoundError:  # a teardown has just removed the folder
                continue
            stack.callback(os.close, descriptor)
            _lock(folder, descriptor, timeout)
            if not _is_current(folder, descriptor):
                continue
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            # Runs before the lock is released, so that no other run finds a folder that disappears.
            stack.callback(_clean_up, folder, parent, is_new, removes_folder)
            yield
            return
    raise ConfigRefused(
        "other runs create and remove this folder. Run again after they have ended.", str(folder)
    )


def _opened_lock(folder: Path, parent: int) -> int:
    try:
        with naming(folder / LOCK):
            descriptor = os.open(LOCK, OPEN, 0o600, dir_fd=parent)
    except OSError:
        if is_link(LOCK, parent):
            raise link_refused(folder / LOCK) from None
        raise
    try:
        check_own_file(descriptor, folder / LOCK)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(folder: Path, descriptor: int, timeout: float) -> None:
    # A blocking call would wait without a limit.
    for _left in attempts(timeout):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
    text = os.pread(descriptor, 32, 0).strip()
    holder = text.decode() if text.isdigit() else "unknown"
    raise ConfigRefused(
        f"another run (process {holder}) is changing this folder. Run again after it has ended.", str(folder)
    )


def _is_current(folder: Path, descriptor: int) -> bool:
    """Return whether the locked file is the one in the folder: the run that held the lock before can have removed both."""
    try:
        with opened_folder(folder) as parent:
            status = os.stat(LOCK, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(status, os.fstat(descriptor))


def _clean_up(folder: Path, parent: int, is_new: bool, removes_folder: bool) -> None:
    with contextlib.suppress(OSError):
        names = set(os.listdir(parent))
        if STATE_FILE in names or not (removes_folder or names == {LOCK}):
            return
        os.unlink(LOCK, dir_fd=parent)
        if is_new or removes_folder:
            os.rmdir(folder)
