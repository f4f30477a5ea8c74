# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fork of this process that runs a function on another processor and sends messages to this process.

A new interpreter would need a tenth of a second to import what a fork has. A fork has only one thread, so locks that other threads hold
would never be released: a process whose threads use locks cannot fork.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import struct
import warnings
from collections.abc import Awaitable, Callable

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.lock_free_thread import (
    has_locking_threads,
)

_LENGTH = struct.Struct("!I")
_END = _LENGTH.pack(0)  # the message of a process that has done all of its work
_READ_BYTES = 262_144

Send = Callable[[bytes], Awaitable[None]]


def processors() -> int:
    """Return on how many processors this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Return whether no other thread of this process can hold a lock."""
    return hasattr(os, "fork") and not has_locking_threads()


class ForkedProcess:
    """A fork. It ends with this process, since it then cannot send, and never runs code of its caller's callers.

    Use it in an event loop, and call `close` at the end.
    """

    def __init__(self, work: Callable[[Send], Awaitable[None]], receive: Callable[[bytes], None]) -> None:
        """Fork this process.

        Args:
            work: What the fork does in an event loop of its own. Its argument sends a message that is not empty.
            receive: Called with each message, in this process.

        Raises:
            OSError: The fork is not possible, for example because of a limit on processes.
        """
        self._receive = receive
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[bool] = self._loop.create_future()
        """Whether the fork has done all of its work; an exception if `receive` raised one."""
        self._connection, theirs = socket.socketpair()
        try:
            self.pid = _fork()
        except OSError:
            self._connection.close()
            theirs.close()
            raise
        if self.pid == 0:
            _run(work, self._connection, theirs)
        theirs.close()
        self._connection.setblocking(False)
        self._loop.add_reader(self._connection.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        try:
            self._take_messages()
        except Exception as error:
            self._end(error)
        if not data:
            self._end()

    def _take_messages(self) -> None:
        begin, size = 0, len(self._received)
        while size - begin >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received, begin)
            end = begin + _LENGTH.size + length
            if length == 0 and not self.ended.done():
                self.ended.set_result(True)
            if end > size:
                break
            if length:
                self._receive(bytes(self._received[begin + _LENGTH.size : end]))
            begin = end
        del self._received[:begin]

    def _end(self, error: Exception | None = None) -> None:
        self._loop.remove_reader(self._connection.fileno())
        if self.ended.done():
            return
        if error is not None:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(False)

    def close(self) -> None:
        """Kill the fork if it has not ended, and wait for its end."""
        if self._connection.fileno() >= 0:
            self._loop.remove_reader(self._connection.fileno())
            self._connection.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        if not self.ended.done():
            self.ended.set_result(False)
        elif not self.ended.cancelled():
            self.ended.exception()  # an error that is not read is printed

    def forget(self) -> None:
        """Close the connection in a process that is itself a fork, so that only the process that forked keeps it open."""
        self._connection.close()


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of each fork of a process with threads. Those of this process hold no locks.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _run(work: Callable[[Send], Awaitable[None]], theirs: socket.socket, connection: socket.socket) -> None:
    """Do the work of a fork and end it, without the handlers, buffers and exceptions of the process that it was forked from."""
    try:
        theirs.close()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        gc.freeze()  # a collection would write to the memory that both processes share, and so copy it
        asyncio._set_running_loop(None)  # Python 3.11 and older keep the loop that the fork was made in
        asyncio.run(_work(work, connection))
    finally:
        os._exit(1)


async def _work(work: Callable[[Send], Awaitable[None]], connection: socket.socket) -> None:
    loop, one_at_a_time = asyncio.get_running_loop(), asyncio.Lock()
    connection.setblocking(False)
    # Nothing is sent to a fork: its connection becomes readable when the other process ends.
    loop.add_reader(connection.fileno(), os._exit, 1)

    async def send(message: bytes) -> None:
        async with one_at_a_time:
            await loop.sock_sendall(connection, _LENGTH.pack(len(message)) + message)

    await work(send)
    await loop.sock_sendall(connection, _END)
    os._exit(0)
