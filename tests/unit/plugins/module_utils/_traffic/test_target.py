# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a URL, and the URLs that no request can be sent to."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import parse_url


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path"),
    [
        ("http://a", "http", "a", 80, "/"),
        ("https://a?b=1", "https", "a", 443, "/?b=1"),
        ("http://[::1]:81/x#y", "http", "::1", 81, "/x"),
        ("tcp://a:9", "tcp", "a", 9, ""),
        ("udp://a:9", "udp", "a", 9, ""),
        ("tls://a:9", "tls", "a", 9, ""),
        ("ws://a/x", "ws", "a", 80, "/x"),
        ("wss://a", "wss", "a", 443, "/"),
    ],
)
def test_parse_url(url: str, scheme: str, host: str, port: int, path: str) -> None:
    assert parse_url(url) == (scheme, host, port, path)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://a", "Use one of: http://, https://, ws://, wss://, tcp://, tls://, udp://."),
        ("http://", "'http://' has no host. Write http://HOST."),
        ("http://a:99999", "is not a URL: its port is above 65535. Write a port from 1 to 65535."),
        ("tcp://a", "'tcp://a' has no port. Add one, for example tcp://a:9000."),
        ("tcp://a:1/x", "has a path, but tcp:// has none. Send it with payload."),
        ("http://me:secret@a", "contains a user name or password. Send it in the header authorization."),
        ("http://a/b c", "Percent-encode it."),
        ("http://a/\r\nx: y", "Percent-encode it."),
        ("http://ä/", "Percent-encode it."),
    ],
)
def test_parse_url_refuses_other_addresses(url: str, error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_url(url, "traffic[0].url")
    assert str(caught.value).startswith("traffic[0].url: ")
    assert error in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "tls", "http", "websocket"),
    [("https://a", True, True, False), ("ws://a", False, False, True), ("tls://a:1", True, False, False)],
)
def test_target_properties_follow_from_the_scheme(url: str, tls: bool, http: bool, websocket: bool) -> None:
    target = parse_url(url)
    assert (target.tls, target.http, target.websocket) == (tls, http, websocket)
