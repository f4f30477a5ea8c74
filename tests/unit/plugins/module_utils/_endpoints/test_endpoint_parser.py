# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints from the options of a task."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints import endpoint_parser
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import (
    ENDPOINT_OPTIONS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import (
    KEYS,
    parse_endpoints,
    without_secrets,
)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "endpoints[0]: no address. Set url"),
        (
            {"url": "127.0.0.1:8001"},
            "endpoints[0].url: '127.0.0.1:8001' has no supported scheme. Use one of: http://",
        ),
        ({"url": "ftp://a"}, "endpoints[0].url: 'ftp://a' has no supported scheme"),
        ({"url": "http://"}, "endpoints[0].url: 'http://' has no host. Write http://HOST."),
        (
            {"url": "http://a:b"},
            "endpoints[0].url: 'http://a:b' is not a URL: its port is not a number. Write the port in digits",
        ),
        (
            {"url": "http://u:secret@a"},
            "contains a user name or password. Send it in the header authorization.",
        ),
        ({"url": "http://a/stats?x=1"}, "is followed by ? or #. Remove that part"),
        ({"url": "http://a/stats?token=secret"}, "'http://a/stats' is followed by ? or #"),
        ({"url": "ftp://u:secret@a/b?secret"}, "'ftp://…@a/b' has no supported scheme"),
        ({"url": "http://a b"}, "contains a blank or a control character"),
        ({"url": "http://a\r\nX: 1"}, "contains a blank or a control character"),
        ({"url": "unix://run/x"}, "'unix://run/x' has no absolute path. Write unix:///path"),
        ({"url": "unix:///x", "container": "c"}, "unix:// cannot be used with container"),
        ({"url": "https://x", "container": "c"}, "https:// cannot be used with container"),
        ({"url": "http://a", "format": "json"}, "Use one of: envoy, prometheus"),
        ({"url": "http://a", "headers": {"a b": "c"}}, "endpoints[0].headers: expected the name of a header"),
        (
            {"url": "http://a", "headers": {"a": "c\nd"}},
            "endpoints[0].headers.a: a header cannot contain a line break",
        ),
        ({"url": "http://a", "headers": [1]}, "endpoints[0].headers: expected a dictionary"),
        ({"url": "http://a", "client_key": "k"}, "endpoints[0].client_key: client_cert is missing"),
        (
            {"url": "http://a", "contianer": "k"},
            "endpoints[0]: unknown key 'contianer'. Did you mean 'container'?",
        ),
        ({"url": "http://a", "port": 1}, "endpoints[0].port: only pods have it. Set selector"),
        ({"url": "http://a", "namespace": "n"}, "endpoints[0].namespace: only pods have it. Set selector"),
    ],
)
def test_wrong_endpoint_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        parse_endpoints([entry])
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"url": "http://a"}, "endpoints[0].url: it cannot be combined with selector. Use port and path."),
        ({"ca_path": "/a"}, "endpoints[0].ca_path: it cannot be combined with selector. Leave it out"),
        ({"port": "Web"}, "endpoints[0].port: expected the number or the name of a pod's port, got 'Web'."),
        ({"port": 65536}, "endpoints[0].port: expected the number or the name of a pod's port"),
    ],
)
def test_wrong_selector_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        parse_endpoints([{"selector": "app=web", **entry}])
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("entries", "url", "message"),
    [
        (
            [{"name": "a", "url": "http://a"}, {"name": "a", "url": "http://b"}],
            None,
            "endpoints: two have the name 'a'",
        ),
        ([{"url": "http://a"}], "http://b", "endpoints: url is set too"),
        ([], None, "endpoints: expected a list of at least one dictionary"),
        ("http://a", None, "endpoints: expected a list of at least one dictionary"),
    ],
)
def test_wrong_list_is_refused(entries: Any, url: str | None, message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        parse_endpoints(entries, url)
    assert str(raised.value).startswith(message)


def test_parts_of_an_endpoint() -> None:
    first, home, ipv6, page, inside = parse_endpoints(
        [
            {"name": "first", "url": "http://h:1/admin/"},
            {"url": "unix://~/x.sock"},
            {"name": "ipv6", "url": "http://[::1]:8001"},
            {"name": "page", "url": "unix:///x.sock:/metrics?a=b", "format": "prometheus"},
            {"container": "c"},
        ]
    )
    assert (first.path, first.authority) == ("/admin", "h:1")
    assert home.socket == str(Path.home() / "x.sock")
    assert ipv6.authority == "[::1]:8001"
    assert (page.socket, page.path) == ("/x.sock", "/metrics?a=b")
    assert (inside.name, inside.port) == ("c", 9901)


def test_pods_have_a_port_and_a_path() -> None:
    (by_default, page) = parse_endpoints(
        [
            {"selector": "app=web"},
            {"selector": "app=web", "namespace": "n", "port": "metrics", "path": "m", "format": "prometheus"},
        ]
    )
    assert (by_default.name, by_default.port, by_default.where) == ("app=web", 9901, "pods app=web")
    assert page.pods is not None
    assert (page.name, page.pods.port, page.path) == ("n/app=web", "metrics", "/m")


@pytest.mark.parametrize("url", ["http://a/metrics?token=hidden", "unix:///x.sock:/metrics?token=hidden"])
def test_token_in_a_url_is_not_part_of_the_name(url: str) -> None:
    (endpoint,) = parse_endpoints([{"url": url, "format": "prometheus"}])
    assert endpoint.path == "/metrics?token=hidden"
    assert "hidden" not in endpoint.name + endpoint.where


def test_headers_are_not_part_of_texts() -> None:
    (endpoint,) = parse_endpoints([{"url": "https://a", "headers": {"Authorization": "Bearer hidden"}}])
    assert endpoint.headers == (("authorization", "Bearer hidden"),)
    assert "hidden" not in repr(endpoint) + endpoint.where
    assert ENDPOINT_OPTIONS["headers"]["no_log"] is True


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://u:p@a/b?c#d", "http://…@a/b"),
        ("unix:///x:/m?t=1", "unix:///x:/m"),
        ("https://a", "https://a"),
    ],
)
def test_url_without_secrets(url: str, text: str) -> None:
    assert without_secrets(url) == text


def test_keys_are_the_options() -> None:
    assert set(ENDPOINT_OPTIONS) == set(KEYS)


def test_examples() -> None:
    assert doctest.testmod(endpoint_parser).failed == 0
