# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server of a live page: loopback, one name, one path, only GET; and its events."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from watched_demo import FakeReader, watched_demo

from ansible_collections.meshlab.envoy.plugins.module_utils._watch import page_server
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.page_server import (
    MOST_VIEWERS,
    PageServer,
    new_key,
    serving,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_rounds import Limits, WatchRounds

KEY = "a-key"


class View:
    """A live view with its server, and the thread that reads."""

    def __init__(self) -> None:
        self.reader = FakeReader()
        self.rounds = WatchRounds(watched_demo(), self.reader, Limits(interval=0.001))
        self.rounds.first()
        self.server = PageServer(self.rounds, 0, KEY)
        self.server.ended = lambda: "shop was removed."
        self.thread = threading.Thread(target=self.rounds.run)

    def request(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        body = response.read()
        connection.close()
        return response.status, found, body

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield the kind and the data of each event until the end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        connection.request("GET", f"/{KEY}/events")
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream"
        kind = "message"
        try:
            for line in response:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    kind = text.removeprefix("event: ")
                elif text.startswith("data: "):
                    yield kind, json.loads(text.removeprefix("data: "))
        finally:
            connection.close()


@pytest.fixture
def view() -> Iterator[View]:
    found = View()
    with serving(found.server):
        found.thread.start()
        try:
            yield found
        finally:
            found.reader.record = None
            found.thread.join(60)


def test_page_is_served_with_a_strict_policy(view: View) -> None:
    status, headers, body = view.request("GET", f"/{KEY}/")
    assert status == 200
    assert b"<h1>shop</h1>" in body
    assert headers["content-security-policy"] == page_server.POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "meshlab.envoy"
    assert not [name for name in headers if name.startswith("access-control")]


def test_server_listens_on_loopback_only(view: View) -> None:
    assert view.server.server_address[0] == "127.0.0.1"
    assert view.server.url == f"http://127.0.0.1:{view.server.server_port}/{KEY}/"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8900", "[::1]:1", "LOCALHOST"])
def test_names_of_loopback_are_accepted(view: View, host: str) -> None:
    assert view.request("GET", f"/{KEY}/", Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example:80", "", "[::1", "127.0.0.2"]
)  # fmt: skip
def test_another_host_name_is_refused(view: View, host: str) -> None:
    for path in (f"/{KEY}/", f"/{KEY}/events"):
        status, headers, body = view.request("GET", path, Host=host)
        assert status == 403
        assert b"shop" not in body
        assert headers["content-type"].startswith("text/plain")


def test_request_with_two_host_names_is_refused(view: View) -> None:
    with socket.create_connection(("127.0.0.1", view.server.server_port), timeout=30) as client:
        client.sendall(f"GET /{KEY}/ HTTP/1.1\r\nHost: localhost\r\nHost: attacker.example\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(
    "path", ["/", "/events", "/a-kex/", f"/{KEY}/stats", f"/{KEY}/events/", f"/{KEY}/../{KEY}/", "/%61-key/", f"/{KEY}"]
)  # fmt: skip
def test_other_paths_are_not_found(view: View, path: str) -> None:
    status, _headers, body = view.request("GET", path)
    assert status == 404
    assert b"shop" not in body


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(view: View, method: str) -> None:
    status, headers, _body = view.request(method, f"/{KEY}/")
    assert status == 405
    assert headers["allow"] == "GET"


@pytest.mark.parametrize(
    "line", ["BREW / HTTP/1.1", "<script>", "GET / HTTP/9.9", f"GET /{'x' * 70000} HTTP/1.1"]
)
def test_what_is_not_http_gets_no_echo(view: View, line: str) -> None:
    with socket.create_connection(("127.0.0.1", view.server.server_port), timeout=30) as client:
        client.sendall(f"{line}\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        try:
            while part := client.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
    assert b"<script>" not in answer.partition(b"\r\n\r\n")[2]
    assert b"BREW" not in answer
    assert b"text/html" not in answer


def test_events_have_the_content_of_each_round(view: View) -> None:
    events = view.events()
    kind, data = next(events)
    assert kind == "message"
    assert data["title"].startswith("● shop")
    assert "<h1>shop</h1>" in data["html"]
    kind, data = next(events)
    assert "10.0/s" in data["html"]
    events.close()


def test_many_viewers_cause_one_reading_each_round(view: View) -> None:
    def watch(_number: int) -> None:
        events = view.events()
        for _event in range(4):
            next(events)
        events.close()

    viewers = [threading.Thread(target=watch, args=(number,)) for number in range(10)]
    for one in viewers:
        one.start()
    for one in viewers:
        one.join(60)
    view.reader.record = None
    view.thread.join(60)
    assert view.rounds.newest().number == view.reader.reads


def test_viewers_get_the_reason_of_the_end(view: View) -> None:
    events = view.events()
    next(events)
    view.reader.record = None
    assert list(events)[-1] == ("end", "shop was removed.")


def test_viewers_connect_again_after_another_deployment(view: View) -> None:
    events = view.events()
    next(events)
    view.reader.record = "second"
    assert all(kind == "message" for kind, _data in events)


def test_viewer_that_left_is_not_counted(view: View) -> None:
    events = view.events()
    next(events)
    events.close()
    # Leaving is noticed when the next event is written.
    deadline = threading.Event()
    for _attempt in range(600):
        if view.rounds._viewers == 0:
            break
        deadline.wait(0.1)
    assert view.rounds._viewers == 0
    assert view.server.viewers.acquire(blocking=False)


def test_too_many_viewers_are_refused(view: View) -> None:
    for _number in range(MOST_VIEWERS):
        assert view.server.viewers.acquire(blocking=False)
    status, _headers, body = view.request("GET", f"/{KEY}/events")
    assert status == 503
    assert body.decode() == f"The page has {MOST_VIEWERS} viewers already. Close one of them.\n"


def test_keys_are_random() -> None:
    keys = {new_key() for _number in range(10)}
    assert len(keys) == 10
    assert all(len(key) >= 22 for key in keys)
