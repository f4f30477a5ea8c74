# Copyright (c) 2026 meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of bytes both ways, whatever carries it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO


@dataclass
class Stream:
    """What a transport gives: something to read from, something to write to, and a way to be done with it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    command: Command | None = None  # that carries the stream
    used: bool = field(default=False)

    def close(self) -> None:
        """At once, and without waiting for the other side."""
        if self.command is not None:
            self.command.close()
        self.writer.transport.abort()

    def explain(self) -> str:
        """What a command said when its stream ended early; empty for a socket."""
        return self.command.words() if self.command is not None else ""


@dataclass
class Command:
    """A program whose standard input and output are the stream."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    socket: socket.socket

    def close(self) -> None:
        """Ends its input, which is how it knows; that it goes is seen to beside the loop."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        threading.Thread(target=self._reap).start()

    def _reap(self) -> None:
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.5)
        self.errors.seek(0)
        return self.errors.read(2_000).decode("utf-8", "replace").strip()


async def stream_through(command: Sequence[str]) -> Stream:
    """A stream through a program. It is given a socket of its own, so that reading and writing are as with any other endpoint."""
    ours, theirs = socket.socketpair()
    errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — the command has it until it is closed
    try:
        with theirs:
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors)
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
    except BaseException:
        ours.close()
        errors.close()
        raise
    return Stream(reader, writer, Command(process, errors, ours))
