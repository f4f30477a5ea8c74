# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as they come: at once, or in pieces of any size."""

from __future__ import annotations

import tracemalloc

import pytest
from targets import parse_http

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\nserver: envoy\r\ntransfer-encoding: chunked\r\n\r\n"
SAID = HEAD + b"4\r\nabcd\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, len(HEAD), 1_000])
def test_an_answer_is_the_same_in_pieces_of_any_size(size: int) -> None:
    answer = parse_http(SAID, size)
    headers = {"server": "envoy", "transfer-encoding": "chunked"}
    assert answer == HttpResponse(200, headers, b"abcd", complete=True, reusable=True, transferred=4)


@pytest.mark.parametrize("size", [1, 1_000])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (SAID.replace(b"server: envoy", b"connection: close"), (b"abcd", False)),
        (SAID.replace(b"HTTP/1.1", b"HTTP/1.0"), (b"abcd", False)),
        (HEAD + b"4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n", (b"abcdefgh", True)),
        (HEAD + b"4\r\nabcd\r\n0\r\nx: y\r\n\r\n", (b"abcd", True)),
        (HEAD + b"0\r\n\r\n", (b"", True)),
        (HEAD + b"fff\r\nabcd\r\n0\r\n\r\n", "unparsable"),
        (HEAD + b"1001\r\n" + b"a" * 0x1001 + b"\r\n0\r\n\r\n", "too_large"),
        (SAID.replace(b"server: envoy", b"content-encoding: gzip"), "unparsable"),
    ],
)
def test_what_is_unlike_most_answers(said: bytes, expected: tuple[bytes, bool] | str, size: int) -> None:
    answer = parse_http(said, size)
    assert (answer if isinstance(answer, str) else (answer.body, answer.reusable)) == expected


def test_small_chunks_take_as_much_memory_as_they_hold() -> None:
    said = HEAD + b"2\r\nab\r\n" * 20_000 + b"0\r\n\r\n"
    tracemalloc.start()
    try:
        answer = parse_http(said, 65_536, limit=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 600_000
    finally:
        tracemalloc.stop()
    assert isinstance(answer, HttpResponse)
    assert answer.body == b"ab" * 20_000
