# Copyright (c) 2026 meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of bytes both ways, whatever carries it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass


@dataclass
class Stream:
    """What a transport gives: something to read from, something to write to, and a way to be done with it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    process: asyncio.subprocess.Process | None = None  # of a stream through a command
    used: bool = False

    def close(self) -> None:
        """At once, and without waiting for the other side."""
        transport = self.writer.transport
        if transport is not None:
            transport.abort()
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def explain(self) -> str:
        """What a command said when its stream ended early; empty for a socket."""
        if self.process is None or self.process.stderr is None:
            return ""
        words = await self.process.stderr.read(2_000)
        return words.decode("utf-8", "replace").strip()
