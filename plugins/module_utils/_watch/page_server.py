# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP server of a live page: two addresses, only on loopback, only GET, and nothing that comes from a request."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_page import (
    POLICY,
    live_content,
    live_page,
    live_title,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_rounds import (
    REDEPLOYED,
    Round,
    WatchRounds,
)

ADDRESS = "127.0.0.1"
# The names of loopback in a Host header. Another name is that of a site whose name resolves to this machine (DNS rebinding).
# The port is not compared, because `ssh -L` can have another one.
HOSTS = frozenset((ADDRESS, "localhost", "::1"))
MOST_VIEWERS = 32
STALLED = 30.0  # seconds until a connection without progress is closed
SILENCE = 5.0  # seconds until a comment shows whether a viewer is still there
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
}


def new_key() -> str:
    """Return a random path, so that other users of the machine cannot guess the address of the page."""
    return secrets.token_urlsafe(16)


class PageServer(ThreadingHTTPServer):
    """Serves the rounds of a live view.

    Args:
        rounds: The rounds, of which one was read.
        port: Port on loopback. 0 chooses a free one.
        key: The path of the page.

    Raises:
        OSError: The port is in use.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, rounds: WatchRounds, port: int, key: str) -> None:
        self.rounds, self.key = rounds, key
        self.viewers = threading.BoundedSemaphore(MOST_VIEWERS)
        self.ended: Callable[[], str] = str
        super().__init__((ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """Return the URL of the page."""
        return f"http://{ADDRESS}:{self.server_port}/{self.key}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore an error of one connection, such as a viewer that left."""


@contextmanager
def serving(server: PageServer) -> Iterator[PageServer]:
    """Serve in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True, name="live page")
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = STALLED
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Serve the page or its events."""
        if self._host() not in HOSTS:
            self._refuse(HTTPStatus.FORBIDDEN, f"This page has the address {ADDRESS} only.")
            return
        key, slash, name = self.path.removeprefix("/").partition("/")
        is_known = hmac.compare_digest(key.encode(), self.server.key.encode())
        if not (is_known and slash and name in ("", "events")):
            self._refuse(HTTPStatus.NOT_FOUND, "Open the address that `make watch` printed.")
        elif name:
            self._events()
        else:
            found = self.server.rounds.newest()
            page = live_page(self.server.rounds.demo, found.state, found.history)
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def _only_get(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "This page can only be read.", {"Allow": "GET"})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _only_get

    def _host(self) -> str:
        """Return the name in the Host header; empty if there is not exactly one header."""
        found = self.headers.get_all("Host") or []
        try:
            return (urlsplit(f"//{found[0]}").hostname or "") if len(found) == 1 else ""
        except ValueError:
            return ""

    def _events(self) -> None:
        if not self.server.viewers.acquire(blocking=False):
            text = f"The page has {MOST_VIEWERS} viewers already. Close one of them."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, text)
            return
        rounds = self.server.rounds
        rounds.join()
        try:
            self._begin(HTTPStatus.OK, {"Content-Type": "text/event-stream"})
            self._send("retry: 1000\n\n")
            number = 0
            while not rounds.end:
                found = rounds.next_after(number, SILENCE)
                if found is not None:
                    number = found.number
                self._send(self._event(found) if found else ":\n\n")
            if rounds.end != REDEPLOYED:
                self._send(f"event: end\ndata: {json.dumps(self.server.ended())}\n\n")
        finally:
            rounds.leave()
            self.server.viewers.release()

    def _event(self, found: Round) -> str:
        demo = self.server.rounds.demo
        data = {
            "title": live_title(demo, found.state),
            "html": live_content(demo, found.state, found.history),
        }
        return f"id: {found.number}\ndata: {json.dumps(data)}\n\n"

    def _send(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()

    def _begin(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {**HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(
        self, status: HTTPStatus, content_type: str, text: str, headers: dict[str, str] | None = None
    ) -> None:
        body = text.encode()
        self._begin(
            status, {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
        )
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, "text/plain; charset=utf-8", f"{text}\n", headers)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that is not HTTP, without its text."""
        del message, explain
        self.command = self.command or "GET"
        self.request_version = "HTTP/1.1"
        self._refuse(HTTPStatus(code), HTTPStatus(code).phrase)

    def version_string(self) -> str:
        """Return the name of the server, without versions."""
        return "meshlab.envoy"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""
