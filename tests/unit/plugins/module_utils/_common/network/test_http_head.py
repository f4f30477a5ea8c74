# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of an HTTP/1 response."""

from __future__ import annotations

import doctest

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import http_head as module
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import (
    HeadError,
    ResponseHead,
    head_end,
    parse_head,
)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\na: b\r\n\r\n", ResponseHead(1, 200, {"a": "b"})),
        (b"HTTP/1.1 200 OK\r\na: b", ResponseHead(1, 200, {"a": "b"})),
        (b"HTTP/1.0 404\n\n", ResponseHead(0, 404, {})),
        (b"HTTP/1.1 200 \nA : b \r\nB:\n\n", ResponseHead(1, 200, {"a": "b", "b": ""})),
        (b"HTTP/1.1 200 OK\r\na: b\r\nA: c\r\n\r\n", ResponseHead(1, 200, {"a": "b, c"})),
        (b"HTTP/1.1 200 OK\r\na: \xc3\xa4\xff\r\n\r\n", ResponseHead(1, 200, {"a": "ä\ufffd"})),
    ],
)
def test_heads_that_are_parsed(head: bytes, expected: ResponseHead) -> None:
    assert parse_head(head) == expected


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "the response is not HTTP/1: it begins with b''"),
        (b"SSH-2.0-OpenSSH\r\n", "the response is not HTTP/1: it begins with b'SSH-2.0-OpenSSH'"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP/1"),
        (b"HTTP/1.1 99 x\r\n\r\n", "not HTTP/1"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "not HTTP/1"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the server uses TLS; use https:// instead of http://"),
        (b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n", "a header line has no colon: b'broken'"),
    ],
)
def test_heads_that_are_refused(head: bytes, message: str) -> None:
    with pytest.raises(HeadError) as raised:
        parse_head(head)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody", 25),
        (b"HTTP/1.1 200 OK\n\nbody", 17),
        (b"HTTP/1.1 200 OK\r\na: b\n\r\nbody", 24),
        (b"HTTP/1.1 200 OK\r\na: b\r\n", -1),
        (b"", -1),
    ],
)
def test_where_a_head_ends(data: bytes, end: int) -> None:
    assert head_end(data) == end


@pytest.mark.parametrize(
    ("minor", "connection", "keeps"),
    [(1, None, True), (1, "close", False), (0, None, False), (0, "Keep-Alive", True), (1, "close, x", False)],
)
def test_whether_the_connection_stays_open(minor: int, connection: str | None, keeps: bool) -> None:
    headers = {} if connection is None else {"connection": connection}
    assert ResponseHead(minor, 200, headers).keeps_connection is keeps


def test_examples() -> None:
    assert doctest.testmod(module).failed == 0
