# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of users to a server on this machine: cookies, saved values, redirects and whose turn it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.user_client import (
    User,
    resolved_entry,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

Result = Any


class Shop(BaseHTTPRequestHandler):
    """Logs users in with a form, and returns what it received."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/login":
            self.server.users += 1
            self.respond(
                302, {"location": "/home#top", "set-cookie": f"user={self.server.users}; Path=/; HttpOnly"}
            )
        elif path == "/away":
            self.respond(
                302, {"location": f"http://login.example:9000/callback?from={self.server.server_port}"}
            )
        elif path == "/loop":
            self.respond(302, {"location": "/loop"})
        elif path == "/logout":
            self.respond(200, {"set-cookie": "user=; Max-Age=0; Path=/"})
        else:
            self.respond(200, {"x-served-by": self.headers.get("cookie", "none")})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        status = int(urlsplit(self.path).path.strip("/"))
        self.respond(status, {"location": "/home"} if status >= 300 else {})

    def respond(self, status: int, headers: dict[str, str]) -> None:
        seen = {
            "method": self.command,
            "path": self.path,
            **{name.lower(): value for name, value in self.headers.items()},
        }
        body = json.dumps(
            {"seen": seen, "token": f"t{self.headers.get('cookie', '')}", "list": [1, "b"]}
        ).encode()
        self.send_response(status)
        for name, value in {"x-token": "from-header", **headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.server.seen.append(seen)  # before the client has the response
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def shop() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.users, server.seen = 0, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def send(server: Any, *entries: dict[str, Any]) -> list[Result]:
    """Send traffic to the paths of the server, one after the other."""
    return [
        send_traffic(one)
        for one in parse_traffic([{**entry, "url": server.url + entry.get("url", "/")} for entry in entries])
    ]


def test_each_user_has_its_own_cookies_in_later_traffic(shop: Any) -> None:
    login, pages, logout, after = send(
        shop,
        {"url": "/login", "session": "a", "users": 3, "concurrency": 3, "follow_redirects": 5},
        {"session": "a", "requests": 6, "concurrency": 2},
        {"url": "/logout", "session": "a", "requests": 2},
        {"session": "a", "requests": 3},
    )
    assert (login["sent"], login["statuses"], login["redirects"]) == (3, {"200": 3}, 3)
    assert pages["hosts"] == {f"user={number}": 2 for number in (1, 2, 3)}
    assert (logout["statuses"], after["hosts"]["none"]) == ({"200": 2}, 2)
    # A user keeps its connection, and each has one.
    assert (login["connections"], pages["connections"]) == (3, 3)


def test_traffic_without_a_session_has_no_cookies(shop: Any) -> None:
    followed, not_followed = send(shop, {"url": "/login", "follow_redirects": 1}, {"url": "/login"})
    assert (followed["hosts"], not_followed["statuses"]) == ({"none": 1}, {"302": 1})


def test_saved_values_are_those_of_the_same_user(shop: Any) -> None:
    rules = {
        "token": {"json": "token"},
        "item": {"json": "list.1"},
        "name": {"header": "X-Token", "matches": "from-(.*)"},
        "user": {"cookie": "user"},
    }
    login, use = send(
        shop,
        {"url": "/login", "session": "a", "users": 2, "follow_redirects": 1, "save": rules},
        {
            "url": "/x?t=%SAVED(token)%&i=%SAVED(item)%",
            "session": "a",
            "requests": 2,
            "headers": {"authorization": "Bearer %SAVED(token)%", "x-name": "%SAVED(name)%/%SAVED(user)%"},
        },
    )
    assert (login["errors"], use["errors"]) == ({}, {})
    assert [(one["path"], one["authorization"], one["x-name"]) for one in shop.seen[-2:]] == [
        (f"/x?t=tuser%3D{number}&i=b", f"Bearer tuser={number}", f"header/{number}") for number in (1, 2)
    ]


def test_saved_value_in_a_body_is_quoted_as_json(shop: Any) -> None:
    save = {"text": {"json": "seen"}}
    send(
        shop,
        {"session": "a", "save": save},
        {"url": "/200", "session": "a", "body": {"old": "%SAVED(text)%"}},
        {"url": "/200", "session": "a", "body": "%SAVED(text)%"},
    )
    lengths = [int(one["content-length"]) for one in shop.seen[-2:]]
    # Each of the quotes in the value has a backslash.
    assert lengths[0] > lengths[1] + len('{"old": ""}')


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"header": "x-none"}, "token: the response has no header x-none; the status is 200"),
        ({"cookie": "none"}, "the response has no cookie none"),
        ({"json": "list.5"}, "the body of the response has no value list.5"),
        ({"json": "token", "matches": "zzz"}, "the json token does not match 'zzz'"),
    ],
)
def test_response_without_the_value_is_an_error(shop: Any, rule: dict[str, str], problem: str) -> None:
    saving, using = send(
        shop,
        {"session": "a", "save": {"token": rule}},
        {"session": "a", "headers": {"x-a": "%SAVED(token)%"}},
    )
    assert (saving["errors"], using["errors"]) == ({"save": 1}, {"save": 1})
    assert problem in saving["last_error"]
    assert "the user has no saved value token, because no previous response had it" in using["last_error"]
    assert len(shop.seen) == 1


@pytest.mark.parametrize(
    ("status", "seen"),
    [(302, ("GET", None)), (303, ("GET", None)), (307, ("POST", "5")), (308, ("POST", "5"))],
)
def test_method_and_body_follow_the_status(shop: Any, status: int, seen: tuple[str, str | None]) -> None:
    send(
        shop,
        {"url": f"/{status}", "body": "hello", "headers": {"content-type": "a/b"}, "follow_redirects": 1},
    )
    # A server that gets a POST of the home page has no status in its path, and its error is not counted here.
    last = shop.seen[-1] if status < 307 else shop.seen[0]
    assert (last["method"], last.get("content-length")) == seen


def test_redirects_to_other_servers_are_followed_only_if_stated(shop: Any) -> None:
    away = {"url": "/away", "follow_redirects": 3, "headers": {"authorization": "secret", "x-b": "1"}}
    target = {"url": shop.url, "origins": ["http://login.example:9000"]}
    refused, followed = send(shop, away, {**away, "redirects_to": [target]})
    assert refused["errors"] == {"redirect": 1}
    assert "a redirect to http://login.example:9000/callback?from=" in refused["last_error"]
    assert (followed["statuses"], followed["redirects"]) == ({"200": 1}, 1)
    last = shop.seen[-1]
    assert (last["host"], last["x-b"], "authorization" in last) == ("login.example:9000", "1", False)


def test_endless_redirects_are_an_error(shop: Any) -> None:
    [result] = send(
        shop,
        {
            "url": "/loop",
            "follow_redirects": 3,
            "expect": [
                {"error": "redirect", "op": "eq", "value": 1},
                {"redirects": "total", "op": "eq", "value": 0},
            ],
        },
    )
    assert all(one["ok"] for one in result["expect"])
    assert len(shop.seen) == 4


def test_other_protocols_send_what_the_user_has() -> None:
    user = User()
    user.saved["token"] = "a b"
    user.cookies.add("http://a/", ["id=7; Path=/"])
    entry = {"url": "http://a/x?t=%SAVED(token)%", "session": "s", "headers": {"x-a": "%SAVED(token)%"}}
    assert resolved_entry(entry, user) == {
        "url": "http://a/x?t=a%20b",
        "headers": {"cookie": "id=7", "x-a": "a b"},
    }


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([{"users": 2}], "users: it needs session"),
        (
            [{"session": "a", "save": {"x": {}}}],
            "save.x: expected exactly one of header, cookie, json, got none.",
        ),
        ([{"session": "a", "save": {"x y": {"json": "a"}}}], "save.x y: not a name."),
        (
            [{"session": "a", "headers": {"a": "%SAVED(x)%"}}],
            "no previous traffic of session 'a' saves 'x'. Saved: none.",
        ),
        (
            [{"session": "a", "phases": [{"duration": 1, "rate": 1}]}],
            "phases: phases and session exclude each other.",
        ),
        ([{"session": "a", "concurrency": 2}], "concurrency: 2 is more than the 1 users."),
        (
            [{"session": "a"}, {"session": "a", "users": 2}],
            "users: session a has 1 users since its first traffic.",
        ),
        ([{"redirects_to": [{"url": "http://b/"}]}], "redirects_to: it needs follow_redirects."),
        ([{"follow_redirects": 21}], "follow_redirects: "),
        (
            [{"follow_redirects": 1, "protocol": "http2"}],
            "the protocol is http2, but follow_redirects is for http1.",
        ),
        (
            [{"follow_redirects": 1, "redirects_to": [{"url": "http://b/", "origins": ["b"]}]}],
            "'b' is no origin.",
        ),
    ],
)
def test_wrong_keys_are_refused(entries: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_traffic([{"url": "http://a/", **entry} for entry in entries])
    assert problem in str(caught.value)
