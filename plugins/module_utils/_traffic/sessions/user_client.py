# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The users of a session, and the client that sends their requests over HTTP/1.1."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import field_values
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import HttpClient, request_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.request_content import is_json
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.redirects import (
    REDIRECTS,
    Visit,
    next_visit,
    origin_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.saved_values import (
    NotSaved,
    value_of,
    with_saved,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.session_keys import UserKeys
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import parse_url

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic


class User:
    """One user: cookies and saved values. One request at a time uses it."""

    def __init__(self) -> None:
        # Only traffic with users needs http.cookiejar, which imports http.client and urllib.request.
        from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.user_cookies import (
            UserCookies,
        )

        self.cookies = UserCookies()
        self.saved: dict[str, str] = {}
        self.lock = threading.Lock()


class Session:
    """The users of one name. All traffic with this name shares them."""

    def __init__(self, users: int) -> None:
        self.users = [User() for _number in range(users)]


class Sessions:
    """The sessions of a list of traffic, by name."""

    def __init__(self) -> None:
        self._found: dict[str, Session] = {}

    def of(self, keys: UserKeys, states_users: bool, where: str) -> Session | None:
        """Return the session of a traffic, None without one. Raises ArgumentError for another number of users than before."""
        if not keys.session:
            return None
        found = self._found.setdefault(keys.session, Session(keys.users))
        if states_users and keys.users != len(found.users):
            raise ArgumentError(
                f"{where}.users",
                f"session {keys.session} has {len(found.users)} users since its first traffic. Remove the key.",
            )
        return found


class Turns:
    """Gives each request of a traffic to the next user in turn, and keeps the connections of each user."""

    def __init__(self, traffic: Traffic) -> None:
        self._session = traffic.session
        self._numbers = itertools.count()  # is atomic
        self._connections: list[dict[str, HttpClient]] = [
            {} for _user in (traffic.session.users if traffic.session else ())
        ]

    @contextmanager
    def next(self) -> Iterator[tuple[User, dict[str, HttpClient]]]:
        """Yield the user of the next request, and its connections by origin. Without a session, each request has a new user."""
        if self._session is None:
            own: dict[str, HttpClient] = {}
            try:
                yield User(), own
            finally:
                _close(own)
            return
        number = next(self._numbers) % len(self._session.users)
        user = self._session.users[number]
        with user.lock:
            try:
                yield user, self._connections[number]
            except RequestError:
                _close(self._connections[number])
                raise

    def close(self) -> None:
        """Close all connections."""
        for connections in self._connections:
            _close(connections)


class UserClient:
    """Sends the requests of a traffic, each for the user whose turn it is, and follows redirects."""

    def __init__(self, traffic: Traffic, turns: Turns, keep_body: bool) -> None:
        self.connections = self.retries = 0
        self._traffic, self._turns = traffic, turns
        self._contexts: dict[str, ssl.SSLContext | None] = {}
        self._quoted = _json_quoted if is_json(traffic.entry.get("body")) else str
        self._keep_body = keep_body or any(one.source == "json" for one in traffic.save)

    def exchange(self, deadline: float) -> Answer:
        """Send a request, follow its redirects, and return the last answer. Raises RequestError."""
        with self._turns.next() as (user, clients):
            visit, redirects = self._first_visit(user), 0
            while True:
                answer = self._send(visit, user, clients, deadline)
                location = answer.headers.get("location")
                if not self._traffic.follow_redirects or answer.status not in REDIRECTS or location is None:
                    break
                if redirects == self._traffic.follow_redirects:
                    raise RequestError(
                        "redirect", f"more than {redirects} redirects, the last one to {location[:200]}"
                    )
                redirects += 1
                visit = self._redirected(visit, answer.status or 0, location)
            for rule in self._traffic.save:
                try:
                    user.saved[rule.name] = value_of(rule, answer.headers, answer.body, user.cookies.value)
                except NotSaved as error:
                    raise RequestError(
                        "save", f"{rule.name}: {error}; the status is {answer.status}"
                    ) from None
        return answer._replace(redirects=redirects)

    def close(self) -> None:
        """Do nothing: `Turns` closes the connections, which belong to users."""

    def _first_visit(self, user: User) -> Visit:
        traffic = self._traffic
        target = traffic.target
        try:
            path = with_saved(target.path, user.saved, lambda value: quote(value, safe=""))
            host = with_saved(traffic.host or target.authority, user.saved)
            headers = tuple((name, with_saved(value, user.saved)) for name, value in traffic.headers)
            body = traffic.body
            if b"%SAVED(" in body:
                text = with_saved(body.decode("utf-8", "surrogateescape"), user.saved, self._quoted)
                body = text.encode("utf-8", "surrogateescape")
        except NotSaved as error:
            raise RequestError("save", str(error)) from None
        return Visit(f"{target.scheme}://{host}{path}", traffic.method, headers, body)

    def _redirected(self, visit: Visit, status: int, location: str) -> Visit:
        try:
            found = next_visit(visit, status, location)
        except ValueError:
            raise RequestError("redirect", f"the location {location[:200]!r} is no URL") from None
        if found.origin not in self._origins():
            raise RequestError(
                "redirect",
                f"a redirect to {found.url[:200]}, whose origin is not in redirects_to: it is not followed",
            )
        return found

    def _origins(self) -> Mapping[str, Traffic]:
        """Return how requests to each origin are sent."""
        traffic = self._traffic
        own = f"{traffic.target.scheme}://{traffic.host or traffic.target.authority}"
        return {**traffic.redirect_targets, origin_of(traffic.url): traffic, origin_of(own): traffic}

    def _send(self, visit: Visit, user: User, clients: dict[str, HttpClient], deadline: float) -> Answer:
        headers = visit.headers
        cookie = user.cookies.header(visit.url) if self._traffic.session is not None else ""
        if cookie and not any(name == "cookie" for name, _value in headers):
            headers = (*headers, ("cookie", cookie))
        target = parse_url(visit.url)
        sent = self._origins()[visit.origin]._replace(
            method=visit.method, headers=headers, body=visit.body, host=target.authority
        )
        sent = sent._replace(target=sent.target._replace(path=target.path))
        client = clients.get(visit.origin)
        if client is None:
            if visit.origin not in self._contexts:
                self._contexts[visit.origin] = tls_context(sent)
            client = clients[visit.origin] = HttpClient(sent, self._contexts[visit.origin], self._keep_body)
        else:
            client.traffic = sent
        client.request = request_bytes(sent)
        before = client.connections, client.retries
        try:
            answer = client.exchange(deadline)
        finally:
            self.connections += client.connections - before[0]
            self.retries += client.retries - before[1]
        if self._traffic.session is not None and "set-cookie" in answer.headers:
            user.cookies.add(visit.url, field_values(answer.headers["set-cookie"]))
        return answer


def resolved_entry(entry: Mapping[str, Any], user: User) -> dict[str, Any]:
    """Return the data of a traffic with the values that its user has saved, for protocols of another process. Raises ArgumentError."""

    def resolved(value: Any, quoted: Callable[[str], str] = str) -> Any:
        if isinstance(value, str):
            return with_saved(value, user.saved, quoted)
        if isinstance(value, Mapping):
            return {key: resolved(one) for key, one in value.items()}
        return [resolved(one) for one in value] if isinstance(value, (list, tuple)) else value

    found = {key: value for key, value in entry.items() if key != "session"}
    try:
        for key in ("headers", "host", "body", "messages"):
            if found.get(key) is not None:
                found[key] = resolved(found[key])
        found["url"] = resolved(found["url"], lambda value: quote(value, safe=""))
    except NotSaved as error:
        raise ArgumentError(str(entry.get("name") or entry["url"]), f"{error}. Correct save.") from None
    if cookie := user.cookies.header(found["url"]):
        found["headers"] = {"cookie": cookie, **(found.get("headers") or {})}
    return found


def _json_quoted(value: str) -> str:
    return json.dumps(value)[1:-1]


def _close(clients: dict[str, HttpClient]) -> None:
    for client in clients.values():
        client.close()
    clients.clear()
