# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of bytes both ways, whatever carries it."""

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

_PIECE = 262_144
_FIRST_PIECE = 32_768  # Python makes room for all of a piece first, which costs most of a short answer's time
_GOING = 0.5  # seconds
_AT_ONCE = 64  # pieces that are taken before everything else has its turn
_EMPTY_LINE = re.compile(rb"(?<![^\n])\r?\n")


class LineTooLong(Exception):
    """What was looked for did not come within the bound."""


class Stream:
    """What a transport gives: something to send to and to read from, and a way to be done with it.

    asyncio's own streams would double what a fleet costs, and its sock_* functions add a third, so only TLS and what does not go at
    once are left to them.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self._place = 0  # what is before it in the buffer was taken
        self._taken = 0
        self._answering = False  # more of an answer may be there already
        self._piece = _FIRST_PIECE

    async def send(self, data: bytes) -> None:
        self._answering, self._piece = False, _FIRST_PIECE
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            await asyncio.get_running_loop().sock_sendall(self._socket, data[sent:])

    async def receive(self) -> bytes:
        """What came; nothing at the end."""
        while True:
            # An answer takes its time: looking for it before it can be there is a system call for nothing.
            if self._answering:
                with contextlib.suppress(BlockingIOError):
                    data = self._socket.recv(self._piece)
                    if len(data) == self._piece:
                        self._piece = _PIECE
                    return data
            await _readable(self._socket)
            self._answering = True

    async def read(self, most: int) -> bytes:
        """At least a byte and at most so many; nothing at the end."""
        if self._due():
            await asyncio.sleep(0)
        if self._place == len(self._buffer):
            self._buffer, self._place = await self.receive(), 0
        return self._take(self._place + most)

    async def first(self) -> bytes:
        """What has come, once something has; nothing at the end. It stays where it is."""
        if self._place == len(self._buffer):
            self._buffer, self._place = await self.receive(), 0
        return self._buffer[self._place :]

    def skip(self, length: int) -> None:
        """Takes so much of what has come."""
        self._place += length

    def paragraph(self, longest: int) -> bytes:
        """All up to an empty line and with it, where that came already and is near; otherwise nothing, and all stays where it is."""
        found = _EMPTY_LINE.search(self._buffer, self._place, self._place + longest)
        return self._take(found.end()) if found else b""

    async def until(self, mark: bytes, longest: int) -> bytes:
        """All up to a mark and with it; less than that where the stream ends before."""
        looked = self._place
        while True:
            if self._due():
                await asyncio.sleep(0)
            end = self._buffer.find(mark, looked, self._place + longest)
            if end >= 0:
                return self._take(end + len(mark))
            if len(self._buffer) - self._place >= longest:
                raise LineTooLong
            more = await self.receive()
            if not more:
                return self._take(len(self._buffer))
            left = self._buffer[self._place :]
            looked = max(0, len(left) - len(mark) + 1)
            self._buffer, self._place = left + more, 0

    def _take(self, end: int) -> bytes:
        data = self._buffer[self._place : end]
        self._place += len(data)
        return data

    def _due(self) -> bool:
        """Now and then the clock and all others have their turn, also where an answer comes faster than it is read."""
        self._taken += 1
        return self._taken % _AT_ONCE == 0

    def close(self) -> None:
        """At once, and without waiting for the other side."""
        self._socket.close()

    def explain(self) -> str:
        """What a command said when its stream ended early; empty for a socket. It waits for the command's end."""
        return ""


async def connect(connection: socket.socket, address: tuple[object, ...]) -> None:
    """Connects. On this host that is done at once, although the first call does not say so."""
    try:
        connection.connect(address)
    except BlockingIOError:
        problem = connection.connect_ex(address)
        if problem == errno.EALREADY:
            await asyncio.get_running_loop().sock_connect(connection, address)
        elif problem not in (0, errno.EISCONN):
            raise OSError(problem, os.strerror(problem)) from None


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection.fileno(), _tell, there)
    try:
        await there
    finally:
        loop.remove_reader(connection.fileno())


def _tell(there: asyncio.Future[None]) -> None:
    if not there.done():
        there.set_result(None)


class TlsStream(Stream):
    """The same through asyncio's TLS."""

    def __init__(
        self, connection: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(connection)
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(_PIECE)

    def close(self) -> None:
        self._writer.transport.abort()


@dataclass
class Command:
    """A program whose standard input and output are the stream."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def close(self) -> None:
        """Its input has ended, which is how it knows; that it goes is seen to beside the loop."""
        threading.Thread(target=self._reap).start()

    def _reap(self) -> None:
        try:
            self.process.wait(_GOING)  # the end of the task waits for this
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GOING)
        self.errors.seek(0)
        return self.errors.read(2_000).decode("utf-8", "replace").strip()


class CommandStream(Stream):
    """The same through a program."""

    def __init__(self, connection: socket.socket, command: Command) -> None:
        super().__init__(connection)
        self._command = command

    def close(self) -> None:
        super().close()
        self._command.close()

    def explain(self) -> str:
        return self._command.words()


def stream_through(command: Sequence[str]) -> Stream:
    """A stream through a program. It is given a socket of its own, so that reading and writing are as with any other endpoint."""
    ours, theirs = socket.socketpair()
    errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — the command has it until it is closed
    try:
        with theirs:
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors)
    except BaseException:
        ours.close()
        errors.close()
        raise
    ours.setblocking(False)
    return CommandStream(ours, Command(process, errors))
