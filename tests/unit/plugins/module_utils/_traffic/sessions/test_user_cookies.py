# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cookies of a user, by the rules of browsers."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.user_cookies import UserCookies


def test_cookies_are_changed_and_deleted() -> None:
    cookies = UserCookies()
    cookies.add("http://a.example/", ["x=1; Path=/", "y=2; Expires=Wed, 01 Jan 2098 00:00:00 GMT"])
    cookies.add("http://a.example/", ["x=3; Path=/"])
    assert cookies.header("http://a.example/z") == "x=3; y=2"
    cookies.add("http://a.example/", ["x=deleted; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    assert (cookies.names, cookies.value("y"), cookies.value("x")) == (["y"], "2", None)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.example/p/q", True),
        ("https://a.example/", False),  # another path
        ("https://b.example/p", False),  # another host
        ("http://a.example/p", False),  # without TLS
    ],
)
def test_cookies_are_sent_to_their_host_and_path(url: str, sent: bool) -> None:
    cookies = UserCookies()
    cookies.add("https://a.example/p", ["x=1; Path=/p; Secure"])
    assert bool(cookies.header(url)) is sent


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_secure_cookies_are_sent_to_this_machine_without_tls(host: str) -> None:
    cookies = UserCookies()
    cookies.add(f"http://{host}/", ["x=1; Path=/; Secure"])
    assert cookies.header(f"http://{host}/a") == "x=1"
