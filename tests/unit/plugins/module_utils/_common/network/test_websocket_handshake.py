# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket handshake: the request, and the responses that it accepts and refuses."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_handshake import (
    HandshakeError,
    accept_key,
    check_response,
    new_key,
    request_bytes,
)

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3
ACCEPTED = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": ACCEPT}


def test_accept_key_matches_the_example_of_the_rfc() -> None:
    assert accept_key(KEY) == ACCEPT


def test_new_key_is_16_bytes_and_differs_each_time() -> None:
    first, second = new_key(), new_key()
    assert len(base64.b64decode(first, validate=True)) == 16
    assert first != second


def test_request_holds_all_headers_in_order() -> None:
    request = request_bytes("/a?b=1", "example.com:8443", KEY, "chat", [("x-name", "1"), ("x-name", "2")])
    assert request.decode("ascii").split("\r\n") == [
        "GET /a?b=1 HTTP/1.1",
        "host: example.com:8443",
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        f"sec-websocket-key: {KEY}",
        "sec-websocket-protocol: chat",
        "x-name: 1",
        "x-name: 2",
        "",
        "",
    ]


def test_request_has_no_protocol_by_default() -> None:
    assert b"sec-websocket-protocol" not in request_bytes("/", "example.com", KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"upgrade": "WebSocket", "connection": "keep-alive, upgrade"},
        {"sec-websocket-accept": f" {ACCEPT} "},
        {"sec-websocket-protocol": "chat"},
    ],
)
def test_response_with_the_right_accept_key_is_accepted(headers: dict[str, str]) -> None:
    check_response({**ACCEPTED, **headers}, KEY, "chat")


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"sec-websocket-accept": accept_key("another key")}, f"expected sec-websocket-accept {ACCEPT}, got"),
        ({"sec-websocket-accept": ACCEPT.lower()}, f"expected sec-websocket-accept {ACCEPT}, got"),
        ({"sec-websocket-accept": ""}, f"expected sec-websocket-accept {ACCEPT}, got"),
        ({"upgrade": "h2c"}, "expected upgrade websocket, got h2c"),
        ({"connection": "close"}, "expected connection Upgrade, got close"),
        ({"sec-websocket-extensions": "permessage-deflate"}, "expected sec-websocket-extensions none"),
        ({"sec-websocket-protocol": "other"}, "expected sec-websocket-protocol chat, got other"),
    ],
)
def test_response_with_a_wrong_header_is_refused(headers: dict[str, str], error: str) -> None:
    with pytest.raises(HandshakeError) as raised:
        check_response({**ACCEPTED, **headers}, KEY, "chat")
    assert str(raised.value).startswith(error)


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_response_without_a_required_header_is_refused(name: str) -> None:
    headers = {key: value for key, value in ACCEPTED.items() if key != name}
    with pytest.raises(HandshakeError, match=f"^the response has no {name}$"):
        check_response(headers, KEY)


def test_protocol_that_was_not_requested_is_refused() -> None:
    with pytest.raises(HandshakeError, match=r"^expected sec-websocket-protocol none, got chat$"):
        check_response({**ACCEPTED, "sec-websocket-protocol": "chat"}, KEY)
