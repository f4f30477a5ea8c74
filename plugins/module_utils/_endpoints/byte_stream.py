# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Byte streams in both directions: over a socket, over TLS, and through a command."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

_READ_BYTES = 262_144
# Python allocates a whole buffer before it reads, which takes most of the time of a short response.
_FIRST_READ_BYTES = 32_768
_EXIT_TIMEOUT = 0.5  # seconds
_READS_PER_TURN = 64  # reads without a turn of the event loop
_EMPTY_LINE = re.compile(rb"(?<![^\n])\r?\n")


class LineTooLong(Exception):
    """The mark did not occur within the limit."""


class Stream:
    """A connected, non-blocking socket with a buffer.

    asyncio's streams double the cost of reading many endpoints, and its `sock_*` functions add a third. So asyncio is used only
    for TLS and for what the kernel does not do at once.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self._position = 0  # the buffer is consumed up to here
        self._reads = 0
        self._responding = False  # more bytes of a response may have arrived
        self._read_bytes = _FIRST_READ_BYTES

    @property
    def is_consumed(self) -> bool:
        """Return whether no received bytes are left in the buffer."""
        return self._position == len(self._buffer)

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._responding, self._read_bytes = False, _FIRST_READ_BYTES
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            await asyncio.get_running_loop().sock_sendall(self._socket, data[sent:])

    async def receive(self) -> bytes:
        """Wait for bytes and return them; return nothing at the end of the stream. The buffer is not used."""
        while True:
            # A response takes time: a read before its first byte can have arrived is a wasted system call.
            if self._responding:
                with contextlib.suppress(BlockingIOError):
                    data = self._socket.recv(self._read_bytes)
                    if len(data) == self._read_bytes:
                        self._read_bytes = _READ_BYTES
                    return data
            await _wait_readable(self._socket)
            self._responding = True

    async def read(self, limit: int) -> bytes:
        """Return between 1 and `limit` bytes; nothing at the end of the stream."""
        if self._turn_due():
            await asyncio.sleep(0)
        if self._position == len(self._buffer):
            self._buffer, self._position = await self.receive(), 0
        return self._consume(self._position + limit)

    async def first(self) -> bytes:
        """Wait until the buffer has bytes and return them without consuming them; nothing at the end of the stream."""
        if self._position == len(self._buffer):
            self._buffer, self._position = await self.receive(), 0
        return self._buffer[self._position :]

    def skip(self, length: int) -> None:
        """Consume `length` bytes of the buffer."""
        self._position += length

    def paragraph(self, limit: int) -> bytes:
        """Consume the buffer up to and including an empty line; if there is none within `limit` bytes, consume nothing."""
        found = _EMPTY_LINE.search(self._buffer, self._position, self._position + limit)
        return self._consume(found.end()) if found else b""

    async def until(self, mark: bytes, limit: int) -> bytes:
        """Return the bytes up to and including `mark`, or up to the end of the stream.

        Raises LineTooLong if the mark does not occur within `limit` bytes.
        """
        start = self._position
        while True:
            if self._turn_due():
                await asyncio.sleep(0)
            end = self._buffer.find(mark, start, self._position + limit)
            if end >= 0:
                return self._consume(end + len(mark))
            if len(self._buffer) - self._position >= limit:
                raise LineTooLong
            data = await self.receive()
            if not data:
                return self._consume(len(self._buffer))
            rest = self._buffer[self._position :]
            start = max(0, len(rest) - len(mark) + 1)
            self._buffer, self._position = rest + data, 0

    def _consume(self, end: int) -> bytes:
        data = self._buffer[self._position : end]
        self._position += len(data)
        return data

    def _turn_due(self) -> bool:
        """Return whether to let the event loop run: timeouts and other endpoints wait while bytes arrive faster than they are read."""
        self._reads += 1
        return self._reads % _READS_PER_TURN == 0

    def close(self) -> None:
        """Close at once, without waiting for the peer."""
        self._socket.close()

    def error_output(self) -> str:
        """Return the standard error of the stream's command, after waiting for its end; empty for a socket."""
        return ""


async def connect(connection: socket.socket, address: tuple[object, ...]) -> None:
    """Connect a non-blocking socket. On the same host the second call succeeds at once, without a turn of the event loop."""
    try:
        connection.connect(address)
    except BlockingIOError:
        code = connection.connect_ex(address)
        if code == errno.EALREADY:
            await asyncio.get_running_loop().sock_connect(connection, address)
        elif code not in (0, errno.EISCONN):
            raise OSError(code, os.strerror(code)) from None


async def _wait_readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection.fileno(), _set_done, readable)
    try:
        await readable
    finally:
        loop.remove_reader(connection.fileno())


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class TlsStream(Stream):
    """A stream over TLS, by asyncio."""

    def __init__(
        self, connection: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(connection)
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        """Wait for bytes and return them; return nothing at the end of the stream."""
        return await self._reader.read(_READ_BYTES)

    def close(self) -> None:
        """Close at once, without TLS's closing messages."""
        self._writer.transport.abort()


@dataclass
class StreamCommand:
    """A running command whose standard input and output are a stream."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def close(self) -> None:
        """Wait for the command in a thread. The end of its standard input makes it exit; it is killed after 0.5 s."""
        threading.Thread(target=self._reap).start()

    def _reap(self) -> None:
        try:
            self.process.wait(_EXIT_TIMEOUT)  # the Ansible task ends after this thread
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def error_output(self) -> str:
        """Return up to 2,000 bytes of standard error, after waiting up to 0.5 s for the command's end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_EXIT_TIMEOUT)
        self.errors.seek(0)
        return self.errors.read(2_000).decode("utf-8", "replace").strip()


class CommandStream(Stream):
    """A stream through a command."""

    def __init__(self, connection: socket.socket, command: StreamCommand) -> None:
        super().__init__(connection)
        self._command = command

    def close(self) -> None:
        """Close the command's standard input and output."""
        super().close()
        self._command.close()

    def error_output(self) -> str:
        """Return the command's standard error, after waiting for its end."""
        return self._command.error_output()


def stream_through(command: Sequence[str]) -> Stream:
    """Start a command and return a stream to its standard input and output.

    The command gets one end of a socket pair, so reading and writing work as for every other endpoint.
    """
    ours, theirs = socket.socketpair()
    errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 # StreamCommand closes it
    try:
        with theirs:
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors)
    except BaseException:
        ours.close()
        errors.close()
        raise
    ours.setblocking(False)
    return CommandStream(ours, StreamCommand(process, errors))
