# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of answers that arrive in parts."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import RequestError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.answer_bytes import AnswerBytes

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH


@pytest.mark.parametrize("data", [LENGTH, CHUNKED + b"\r\n", CHUNKED + b"x-trailer: 1\r\n\r\n", CONTINUED])
def test_answer_is_complete_with_its_last_byte(data: bytes) -> None:
    for size in (1, 7, len(data)):
        answer = AnswerBytes("GET", 3)
        parts = [data[start : start + size] for start in range(0, len(data), size)]
        assert [answer.add(part) for part in parts] == [False] * (len(parts) - 1) + [True]
        found = answer.answer()
        assert (found.status, found.size, found.body, answer.keep_alive) == (200, 5, b"hel", True)


def test_trailers_follow_the_last_chunk() -> None:
    answer = AnswerBytes("GET", 10)
    assert answer.add(CHUNKED + b"X-Sum: 5\r\nx-sum: 6\r\n\r\n")
    assert answer.answer().trailers == {"x-sum": "5, 6"}
    with pytest.raises(RequestError, match="trailers: a header line has no colon"):
        AnswerBytes("GET", 10).add(CHUNKED + b"broken\r\n\r\n")


def test_end_of_connection_completes_a_body_without_length() -> None:
    answer = AnswerBytes("GET", 10)
    assert not answer.add(b"HTTP/1.1 200 OK\r\n\r\nab")
    assert answer.ends_with_connection
    assert (answer.answer().size, answer.keep_alive) == (2, False)
    cut = AnswerBytes("GET", 10)
    assert not cut.add(LENGTH[:-1])
    assert not cut.ends_with_connection


def test_head_and_further_bytes() -> None:
    answer = AnswerBytes("HEAD", 10)
    assert answer.add(LENGTH[:-5])
    assert answer.keep_alive
    more = AnswerBytes("GET", 10)
    assert more.add(LENGTH + b"HTTP/1.1 200 OK")
    assert not more.keep_alive


def test_headers_are_a_part_of_an_answer() -> None:
    answer = AnswerBytes("GET", 10)
    assert not answer.has_data
    assert not answer.add(LENGTH[:-5])
    assert answer.has_data


def test_length_that_is_stated_twice_is_one_length() -> None:
    answer = AnswerBytes("GET", 10)
    assert answer.add(LENGTH.replace(b"5\r\n", b"5\r\ncontent-length: 5\r\n"))
    assert answer.answer().size == 5


def test_encoding_that_is_not_chunked_ends_with_the_connection() -> None:
    answer = AnswerBytes("GET", 10)
    assert not answer.add(LENGTH.replace(b"5\r\n", b"5\r\ntransfer-encoding: gzip\r\n"))
    assert answer.ends_with_connection


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0\r\n\r\n",
        CHUNKED[:-20] + b"zz\r\n",
        CHUNKED.replace(b"he\r\n", b"heXX"),
        LENGTH.replace(b"5", b"x"),
        LENGTH.replace(b"5", b"5" * 5000),
        LENGTH.replace(b"5\r\n", b"5\r\ncontent-length: 6\r\n"),
    ],
)
def test_invalid_answer_is_an_error(data: bytes) -> None:
    with pytest.raises(RequestError):
        AnswerBytes("GET", 10).add(data)
