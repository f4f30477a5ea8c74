# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake server with hostile responses. Run as a program, it prints its port and answers `/<kind>/…` with that kind of response.

It runs in a process of its own: the memory of the client is measured, and not that of the server.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat

MB = 1 << 20
LIMIT = 12 * MB  # the default of max_bytes
GOOD = b'{"stats":[{"name":"server.live","value":1}]}'
VALUES = LIMIT // 50 - 20  # values of JSON that are just accepted
LINES = LIMIT // 200 - 20


def _stats(number: int, size: int) -> bytes:
    """Return stats whose names are different and fill `size` bytes."""
    padding = b"x" * (size // number - 35)
    return b'{"stats":[%b]}' % b",".join(
        b'{"name":"%07d%b","value":1}' % (one, padding) for one in range(number)
    )


def _lines(template: bytes, size: int = 0) -> bytes:
    padding = b"x" * (size // LINES - 20 if size else 0)
    return b"# TYPE h histogram\n" + b"".join(template % (padding, one) for one in range(LINES - 2))


# Bodies that a client decompresses, by kind.
BODIES: dict[str, Callable[[], bytes]] = {
    "blanks": lambda: b"{" + b" " * (LIMIT - 10),
    "text": lambda: b'{"stats":[{"name":"%b","value":1}]}' % (b"a" * (LIMIT - 100)),
    "wide": lambda: (
        b'{"stats":[{"name":"%b","value":1}]}' % ("\U0001f600".encode() + b"a" * (LIMIT // 4 - 100))
    ),
    "wider": lambda: b'{"stats":[{"name":"%b","value":1}]}' % ("\U0001f600".encode() + b"a" * (LIMIT - 100)),
    "lists": lambda: b"[" + b"[]," * (LIMIT // 3 - 10) + b"0]",
    "accepted lists": lambda: b"[" + b"[]," * (VALUES // 2) + b"0]",
    "accepted objects": lambda: b"[" + b'{"a":1},' * (VALUES // 3) + b"0]",
    "accepted stats": lambda: _stats(VALUES // 5, LIMIT - 100),
    "deep": lambda: b"[" * (LIMIT - 10),
    "bomb": lambda: b" " * (400 * MB),
    "series": lambda: _lines(b"a%b%07d 1\n", LIMIT - 100),
    "short series": lambda: b"".join(b"a%d 1\n" % one for one in range(LIMIT // 12)),
    "buckets": lambda: _lines(b'h_bucket{%ble="%d"} 1\n'),
    "histograms": lambda: _lines(b'h_bucket{a="%b%d",le="1"} 1\n'),
}


def _compressed(body: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(body, 1)


def _after_gzip(data: bytes) -> Iterator[bytes]:
    """Yield a gzip body that is complete, and then data without an end."""
    yield b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(GOOD)
    yield from repeat(data)


def _empty_blocks() -> Iterator[bytes]:
    """Yield a deflate stream without an end that decompresses to nothing."""
    compressor = zlib.compressobj(wbits=31)
    yield b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield from repeat(b"\0\0\0\xff\xff" * 20_000)


def _chunked(chunk: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    yield from repeat(chunk)


STREAMS: dict[str, Callable[[], Iterator[bytes]]] = {
    "zeros after gzip": lambda: _after_gzip(b"\0" * 65_536),
    "members after gzip": lambda: _after_gzip(gzip.compress(b"") * 3_000),
    "empty blocks": _empty_blocks,
    "endless": lambda: repeat(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 65_536),
    "small chunks": lambda: _chunked(b"1\r\n \r\n" * 10_000),
    "huge chunks": lambda: _chunked(b"ffffffffffff\r\n" + b" " * MB),
    "trailers": lambda: _chunked(b"0\r\n" + b"a: b\r\n" * 10_000),
    "chunk extensions": lambda: _chunked(b"1;" + b"a" * 60_000),
    "headers": lambda: repeat(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000),
    "long header": lambda: repeat(b"HTTP/1.1 200 OK\r\na: " + b"b" * 60_000),
    "interim responses": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
    "status line": lambda: repeat(b"HTTP/1.1 200 " + b"a" * 60_000),
    "length": lambda: repeat(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n" + b" " * 65_536),
    "nothing": lambda: iter([b"HTTP/1.1 200 OK\r\n"]),
}


def kinds() -> list[str]:
    """Return all kinds of response."""
    return [*BODIES, *STREAMS]


def _serve(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError, IndexError, KeyError):
        kind = connection.recv(65_536).split(b" ")[1].split(b"/")[1].decode().replace("-", " ")
        for part in STREAMS[kind]() if kind in STREAMS else _compressed(BODIES[kind]()):
            connection.sendall(part)
        if kind == "nothing":
            connection.recv(1)


def main() -> None:
    """Serve until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            threading.Thread(target=_serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
