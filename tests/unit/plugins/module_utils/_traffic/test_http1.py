# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as bytes, and answers read from bytes that come in any pieces."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import AnswerReader, request_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def request_text(**keys: Any) -> str:
    return request_bytes(parse_traffic([{"url": "http://a:8080/x?y=1", **keys}])[0]).decode()


def read(data: bytes, method: str = "GET", kept: int = 1000, first: int | None = None) -> tuple[Answer, bool]:
    """Return an answer, and whether its connection is kept, where `first` bytes come before the rest and the end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[first:] if first is not None else b"")
        theirs.shutdown(socket.SHUT_WR)
        reader = AnswerReader(ours, time.monotonic() + 5, data[:first], kept)
        return reader.read(method), reader.keep_alive


def test_request_has_host_and_connection_headers() -> None:
    assert (
        request_text()
        == "GET /x?y=1 HTTP/1.1\r\nhost: a:8080\r\naccept: */*\r\nuser-agent: meshlab.envoy\r\n\r\n"
    )
    assert "\r\nhost: shop\r\n" in request_text(host="shop")
    assert "\r\nconnection: close\r\n" in request_text(connections="new")
    assert "\r\nuser-agent: me\r\n" in request_text(headers={"User-Agent": "me"})
    assert "meshlab" not in request_text(headers={"User-Agent": "me"})
    assert "\r\nhost: [::1]\r\n" in request_text(url="http://[::1]/")
    assert "\r\nhost: a\r\n" in request_text(url="https://a/")


def test_body_has_its_length_in_bytes() -> None:
    assert request_text(body="größe").endswith("\r\ncontent-length: 7\r\n\r\ngröße")
    assert "content-length: 0" in request_text(method="POST")
    assert "content-length" not in request_text(method="DELETE")


LENGTH = b"HTTP/1.1 200 OK\r\nServer: envoy\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  2\t\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nt: 1\r\n\r\n"
TO_END = b"HTTP/1.1 200 OK\r\n\r\nhello"
OLD = b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    ("data", "keep_alive"),
    [
        (LENGTH, True),
        (CHUNKED, True),
        (TO_END, False),
        (OLD, False),
        (OLD.replace(b"\r\n\r\n", b"\r\nconnection: keep-alive\r\n\r\n"), True),
        (LENGTH.replace(b"X-A", b"Connection: Close\r\nX-A"), False),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100\r\n\r\n" + LENGTH, True),
        (LENGTH + b"HTTP/1.1 500 \r\n\r\n", False),
    ],
)
def test_answer_is_read_from_pieces_of_any_size(data: bytes, keep_alive: bool) -> None:
    for first in (None, *range(1, len(data), 3)):
        answer, kept = read(data, first=first)
        assert (answer.status, answer.body, answer.size) == (200, b"hello", 5)
        if data is LENGTH:
            assert answer.trailers == {}
            assert answer.headers == {"server": "envoy", "content-length": "5", "x-a": "1, 2"}
        assert data is not CHUNKED or answer.trailers == {"t": "1"}
        # Bytes after an answer that were received already end the connection.
        assert kept == keep_alive or (kept and data.endswith(b"500 \r\n\r\n") and first is not None)


def test_start_of_a_body_is_kept_and_all_is_counted() -> None:
    for data in (LENGTH, CHUNKED, TO_END):
        assert read(data, kept=2)[0][2:4] == (b"he", 5)
        assert read(data, kept=0)[0][2:4] == (b"", 5)


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
)
def test_answers_without_body_have_size_0(method: str, data: bytes) -> None:
    answer, keep_alive = read(data, method)
    assert (answer.size, keep_alive) == (0, True)


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "protocol", "the response is not HTTP/1: it begins with b'SSH-2.0-OpenSSH"),
        (b"HTTP/2 200\r\n\r\n", "protocol", "the response is not HTTP/1"),
        (b"HTTP/1.1 99 x\r\n\r\n", "protocol", "the response is not HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n", "protocol", "a header line has no colon"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "protocol", "content-length '-1' is not a length"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "protocol",
            "is not a length",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "protocol",
            "b'zz' is not the size of a chunk",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
            "protocol",
            "longer than its size",
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, "protocol", "longer than 262144 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", "reset", "in the middle of its answer"),
        (CHUNKED[:-2], "reset", "in the middle"),
        (LENGTH[:20], "reset", "in the middle"),
    ],
)
def test_incomplete_answers_are_errors(data: bytes, kind: str, error: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(data)
    assert caught.value.kind == kind
    assert error in str(caught.value)
