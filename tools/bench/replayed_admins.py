# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many Envoy admins in one small process: each port of 127.0.0.1 replays one real Envoy's answer, and honours `filter` as Envoy does.

    replayed_admins.py FOLDER PORTS [--whole]

The folder holds what the real one answered to /stats and /server_info: stats.json and server_info.json.

Prints its ports as JSON and ends when its standard input does. `/seen` tells the last path that was asked for; with `--whole`, `filter` is
ignored and the whole answer travels.
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
    """What is answered, made once for each path."""

    def __init__(self, folder: Path, whole: bool) -> None:
        self._answer = (folder / "stats.json").read_bytes()
        self._server_info = (folder / "server_info.json").read_bytes()
        self._stats = json.loads(self._answer)["stats"]
        self._whole = whole
        self._made: dict[bytes, bytes] = {}
        self._seen = b""

    def to(self, target: bytes) -> bytes:
        if target == b"/seen":
            return _chunked(self._seen)
        self._seen = target
        made = self._made.get(target)
        if made is None:
            made = self._made[target] = _chunked(self._body(target.decode()))
        return made

    def _body(self, target: str) -> bytes:
        if target.startswith("/server_info"):
            return self._server_info
        wanted = parse_qs(target.partition("?")[2]).get("filter", [""])[0]
        if not wanted or self._whole:
            return self._answer
        pattern = re.compile(wanted)
        stats = [one for one in self._stats if pattern.search(one["name"])]
        return json.dumps({"stats": stats}, separators=(",", ":")).encode()


def _chunked(body: bytes) -> bytes:
    """As Envoy sends it."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return head + chunk + b"0\r\n\r\n"


class Connection:
    """One client: what it said so far, and what it is still to get."""

    def __init__(self, connection: socket.socket, replay: Replay) -> None:
        self.socket = connection
        self._replay = replay
        self._said = b""
        self._left = memoryview(b"")

    def turn(self) -> int:
        """Read or write what can be; return what to wait for, 0 at the end."""
        try:
            if not self._left:
                piece = self.socket.recv(_PIECE)
                if not piece:
                    return 0
                self._said += piece
                if b"\r\n\r\n" not in self._said:
                    return selectors.EVENT_READ
                target, self._said = self._said.split(b" ", 2)[1], b""
                self._left = memoryview(self._replay.to(target))
            self._left = self._left[self.socket.send(self._left) :]
        except BlockingIOError:
            return selectors.EVENT_WRITE if self._left else selectors.EVENT_READ
        except OSError:
            return 0
        return selectors.EVENT_WRITE if self._left else selectors.EVENT_READ


def serve(replay: Replay, count: int) -> None:
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
