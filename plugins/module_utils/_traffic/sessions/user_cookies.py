# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cookies of one user, by the rules of browsers, with Python's http.cookiejar."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast
from urllib.request import Request


class _Policy(DefaultCookiePolicy):
    """Sends cookies with `Secure` over TLS, and to this machine without TLS, too, as browsers do."""

    def return_ok_secure(self, cookie: Any, request: Any) -> bool:
        return bool(super().return_ok_secure(cookie, request)) or _is_this_machine(request.host)


class _Response:
    """What http.cookiejar reads of a response."""

    def __init__(self, values: Sequence[str]) -> None:
        self._message = Message()
        for value in values:
            self._message["Set-Cookie"] = value

    def info(self) -> Message:
        return self._message


class UserCookies:
    """The cookies of one user."""

    def __init__(self) -> None:
        self._jar = CookieJar(_Policy())

    def header(self, url: str) -> str:
        """Return the value of the header `cookie` of a request; empty without a cookie for its URL."""
        request = Request(url)  # noqa: S310 - it is not sent
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def add(self, url: str, values: Sequence[str]) -> None:
        """Process the `set-cookie` headers of a response: new, changed and deleted cookies."""
        if values:
            self._jar.extract_cookies(cast(Any, _Response(values)), Request(url))  # noqa: S310 - it is not sent

    def value(self, name: str) -> str | None:
        """Return the value of a cookie. None: there is none."""
        return next((cookie.value or "" for cookie in self._jar if cookie.name == name), None)

    @property
    def names(self) -> list[str]:
        """The names of all cookies."""
        return sorted(cookie.name for cookie in self._jar)


def _is_this_machine(netloc: str) -> bool:
    host = netloc.rpartition("]")[0].lstrip("[") or netloc.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
