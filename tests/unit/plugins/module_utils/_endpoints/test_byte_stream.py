# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading from a stream, whatever the size of the parts that arrive."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import (
    LineTooLong,
    Stream,
    connect,
    stream_through,
)


class Parts(Stream):
    """A stream that receives these parts."""

    def __init__(self, *parts: bytes) -> None:
        super().__init__(socket.socket())
        self._parts = list(parts)

    async def receive(self) -> bytes:
        return self._parts.pop(0) if self._parts else b""


def run(stream: Stream, use: Callable[[Stream], Coroutine[Any, Any, Any]]) -> Any:
    try:
        return asyncio.run(use(stream))  # type: ignore[arg-type]
    finally:
        stream.close()


def test_until_reads_over_parts() -> None:
    async def use(stream: Stream) -> list[bytes]:
        return [await stream.until(b"\r\n", 100) for _time in range(3)]

    assert run(Parts(b"a\r", b"\nb", b"\r\nc"), use) == [b"a\r\n", b"b\r\n", b"c"]


@pytest.mark.parametrize("parts", [(b"aaaa\n",), (b"aa", b"aa\n")])
def test_until_has_a_limit(parts: tuple[bytes, ...]) -> None:
    async def use(stream: Stream) -> bytes:
        return await stream.until(b"\n", 4)

    with pytest.raises(LineTooLong):
        run(Parts(*parts), use)


def test_read_returns_what_arrived_up_to_a_limit() -> None:
    async def use(stream: Stream) -> list[bytes]:
        return [await stream.read(3) for _time in range(4)]

    assert run(Parts(b"abcd", b"ef"), use) == [b"abc", b"d", b"ef", b""]


def test_first_does_not_consume() -> None:
    async def use(stream: Stream) -> tuple[bytes, bytes, bytes]:
        first = await stream.first()
        stream.skip(2)
        return first, await stream.read(10), await stream.first()

    assert run(Parts(b"abcd"), use) == (b"abcd", b"cd", b"")


@pytest.mark.parametrize(
    ("data", "paragraph"),
    [(b"a\r\nb\r\n\r\nc", b"a\r\nb\r\n\r\n"), (b"a\n\nc", b"a\n\n"), (b"a\r\nb", b""), (b"\r\nc", b"\r\n")],
)
def test_paragraph_ends_with_an_empty_line(data: bytes, paragraph: bytes) -> None:
    async def use(stream: Stream) -> tuple[bytes, bytes]:
        await stream.first()
        found = stream.paragraph(100)
        return found, await stream.read(100)

    assert run(Parts(data), use) == (paragraph, data[len(paragraph) :])


def test_socket_sends_and_receives() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    data = b"x" * 1_000_000

    async def use(stream: Stream) -> tuple[int, bytes]:
        sending = asyncio.ensure_future(stream.send(data))
        count = 0
        while count < len(data):
            count += len(await asyncio.to_thread(theirs.recv, 65_536))
        await sending
        theirs.sendall(b"reply")
        return count, await stream.receive()

    with theirs:
        assert run(Stream(ours), use) == (len(data), b"reply")


def test_connect_to_a_listener_and_to_a_closed_port() -> None:
    async def use(address: tuple[str, int]) -> None:
        with socket.socket() as connection:
            connection.setblocking(False)
            await connect(connection, address)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        asyncio.run(use(address))
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(use(address))


def test_command_is_a_stream() -> None:
    program = "import sys; sys.stdout.write(sys.stdin.readline().upper()); sys.stderr.write('done')"

    async def use(stream: Stream) -> tuple[bytes, bytes, str]:
        await stream.send(b"hello\n")
        line = await stream.until(b"\n", 100)
        return line, await stream.receive(), stream.error_output()

    assert run(stream_through([sys.executable, "-c", program]), use) == (b"HELLO\n", b"", "done")
