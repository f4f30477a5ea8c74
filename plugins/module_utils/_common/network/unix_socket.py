# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect to Unix sockets, including those whose path is longer than the kernel accepts."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts

# Bytes. `sun_path` has 108 on Linux, and the last one is NUL (unix(7)).
MAX_PATH_BYTES = 107
# Seconds between two attempts while the listener's queue is full.
QUEUE_FULL_PAUSE = 0.01


@contextlib.contextmanager
def socket_address(path: str) -> Iterator[str]:
    r"""Yield the address to pass to `socket.connect` or `socket.bind` while the context is open.

    Args:
        path: A path in the file system (`~` is not expanded), or `@name` for a socket in Linux's abstract namespace.

    Yields:
        The path itself; for an abstract socket, the name after a NUL; for a path of more than 107 bytes, a path of a few
        bytes that leads through an open descriptor of the socket's folder.

    Raises:
        OSError: The folder of a long path does not exist or cannot be entered.

    Example:
        >>> with socket_address("@envoy") as address:
        ...     address
        '\x00envoy'
    """
    if path.startswith("@"):
        yield f"\0{path[1:]}"
        return
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield path
        return
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def connect_unix(path: str, timeout: float) -> socket.socket:
    """Return a socket that is connected to the listener at `path`, with `timeout` set on it.

    A Unix socket refuses a connection at once while the listener's queue is full, so the connection is attempted again until
    `timeout` seconds are over.

    Args:
        path: As for `socket_address`.
        timeout: Seconds for the connection, and afterwards for each operation on the socket.

    Raises:
        TimeoutError: The queue is still full after `timeout` seconds.
        OSError: There is no listener, or this user may not connect to it.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        with socket_address(path) as address:
            for _left in attempts(timeout, first_pause=QUEUE_FULL_PAUSE):
                try:
                    connection.connect(address)
                except BlockingIOError:
                    continue
                return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    raise TimeoutError("timed out")
