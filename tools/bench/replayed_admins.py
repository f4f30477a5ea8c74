# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve many Envoy admin interfaces from one process: each port replays the responses of one real Envoy and applies `filter`.

    replayed_admins.py FOLDER PORTS [--whole]

FOLDER contains the responses of the real Envoy to /stats and /server_info: stats.json and server_info.json. The program prints its ports as
JSON, and ends when its standard input is closed. `/seen` returns the path of the last request. With `--whole`, the server ignores
`filter` and sends the complete response.
"""

from __future__ import annotations

import json
import re
import resource
import selectors
import socket
import sys
from pathlib import Path
from urllib.parse import parse_qs

_PIECE = 65_536


class Replay:
    """The responses, built once for each path."""

    def __init__(self, folder: Path, whole: bool) -> None:
        self._response = (folder / "stats.json").read_bytes()
        self._server_info = (folder / "server_info.json").read_bytes()
        self._stats = json.loads(self._response)["stats"]
        self._whole = whole
        self._built: dict[bytes, bytes] = {}
        self._seen = b""

    def response(self, target: bytes) -> bytes:
        """Return the response to a request for a path with a query."""
        if target == b"/seen":
            return _chunked(self._seen)
        self._seen = target
        built = self._built.get(target)
        if built is None:
            built = self._built[target] = _chunked(self._body(target.decode()))
        return built

    def _body(self, target: str) -> bytes:
        if target.startswith("/server_info"):
            return self._server_info
        expression = parse_qs(target.partition("?")[2]).get("filter", [""])[0]
        if not expression or self._whole:
            return self._response
        pattern = re.compile(expression)
        stats = [one for one in self._stats if pattern.search(one["name"])]
        return json.dumps({"stats": stats}, separators=(",", ":")).encode()


def _chunked(body: bytes) -> bytes:
    """Return a response with a chunked body, as Envoy sends it."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return head + chunk + b"0\r\n\r\n"


class Connection:
    """The connection of one client: the received request, and the rest of the response."""

    def __init__(self, connection: socket.socket, replay: Replay) -> None:
        self.socket = connection
        self._replay = replay
        self._received = b""
        self._left = memoryview(b"")

    def turn(self) -> int:
        """Read or write without blocking; return the event to wait for, or 0 at the end."""
        try:
            if not self._left:
                piece = self.socket.recv(_PIECE)
                if not piece:
                    return 0
                self._received += piece
                if b"\r\n\r\n" not in self._received:
                    return selectors.EVENT_READ
                target, self._received = self._received.split(b" ", 2)[1], b""
                self._left = memoryview(self._replay.response(target))
            self._left = self._left[self.socket.send(self._left) :]
        except BlockingIOError:
            return selectors.EVENT_WRITE if self._left else selectors.EVENT_READ
        except OSError:
            return 0
        return selectors.EVENT_WRITE if self._left else selectors.EVENT_READ


def serve(replay: Replay, count: int) -> None:
    """Serve on a number of ports until standard input is closed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=128) for _number in range(count)]
    waiting = selectors.DefaultSelector()
    for listener in listeners:
        listener.setblocking(False)
        waiting.register(listener, selectors.EVENT_READ, None)
    waiting.register(sys.stdin, selectors.EVENT_READ, None)
    print(json.dumps([listener.getsockname()[1] for listener in listeners]), flush=True)
    while True:
        for key, _events in waiting.select():
            if key.fileobj is sys.stdin:
                return
            if key.data is None and isinstance(key.fileobj, socket.socket):
                try:
                    client, _address = key.fileobj.accept()
                except OSError:
                    continue
                client.setblocking(False)
                waiting.register(client, selectors.EVENT_READ, Connection(client, replay))
                continue
            next_events = key.data.turn()
            if not next_events:
                waiting.unregister(key.data.socket)
                key.data.socket.close()
            elif next_events != key.events:
                waiting.modify(key.data.socket, next_events, key.data)


if __name__ == "__main__":
    serve(Replay(Path(sys.argv[1]), "--whole" in sys.argv[3:]), int(sys.argv[2]))
