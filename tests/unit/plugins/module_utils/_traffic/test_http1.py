# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as bytes, and answers read from bytes that come in any pieces."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.http1 import AnswerReader, request_bytes


def request(**keys: Any) -> str:
    return request_bytes(parse_traffic([{"url": "http://a:8080/x?y=1", **keys}])[0]).decode()


def read(data: bytes, method: str = "GET", kept: int = 1000, first: int | None = None) -> tuple[Answer, bool]:
    """An answer of which `first` bytes came at once, and the rest after that; then the server closes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[first:] if first is not None else b"")
        theirs.shutdown(socket.SHUT_WR)
        reader = AnswerReader(ours, time.monotonic() + 5, data[:first], kept)
        return reader.read(method), reader.keep_alive


def test_a_request_names_its_host_and_says_whether_it_wants_to_go_on() -> None:
    assert (
        request() == "GET /x?y=1 HTTP/1.1\r\nhost: a:8080\r\naccept: */*\r\nuser-agent: meshlab.envoy\r\n\r\n"
    )
    assert "\r\nhost: shop\r\n" in request(host="shop")
    assert "\r\nconnection: close\r\n" in request(connections="new")
    assert "\r\nuser-agent: me\r\n" in request(headers={"User-Agent": "me"})
    assert "meshlab" not in request(headers={"User-Agent": "me"})
    assert "\r\nhost: [::1]\r\n" in request(url="http://[::1]/")
    assert "\r\nhost: a\r\n" in request(url="https://a/")


def test_a_body_comes_with_its_length_in_bytes() -> None:
    assert request(body="größe").endswith("\r\ncontent-length: 7\r\n\r\ngröße")
    assert "content-length: 0" in request(method="POST")
    assert "content-length" not in request(method="DELETE")


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
def test_an_answer_is_the_same_in_whichever_pieces_it_comes(data: bytes, keep_alive: bool) -> None:
    for first in (None, *range(1, len(data), 3)):
        answer, kept = read(data, first=first)
        assert (answer.status, answer.body, answer.size) == (200, b"hello", 5)
        if data is LENGTH:
            assert answer.headers == {"server": "envoy", "content-length": "5", "x-a": "1, 2"}
        # What came after an answer may not have been read yet, but where it was it is not taken for another's.
        assert kept == keep_alive or (kept and data.endswith(b"500 \r\n\r\n") and first is not None)


def test_only_the_start_of_a_body_is_kept_and_all_of_it_counted() -> None:
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
def test_answers_without_a_body(method: str, data: bytes) -> None:
    answer, keep_alive = read(data, method)
    assert (answer.size, keep_alive) == (0, True)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "protocol", "no answer in HTTP/1.1: b'SSH-2.0-OpenSSH"),
        (b"HTTP/2 200\r\n\r\n", "protocol", "no answer in HTTP/1.1"),
        (b"HTTP/1.1 99 x\r\n\r\n", "protocol", "no answer in HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n", "protocol", "a header line without a colon"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "protocol", "content-length '-1' is no length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "protocol", "is no length"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "protocol", "no size of a chunk"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
            "protocol",
            "longer than it said",
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, "protocol", "longer than 262144 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", "reset", "in the middle of its answer"),
        (CHUNKED[:-2], "reset", "in the middle"),
        (LENGTH[:20], "reset", "in the middle"),
    ],
)
def test_what_is_no_complete_answer(data: bytes, kind: str, words: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(data)
    assert refused.value.kind == kind
    assert words in str(refused.value)
