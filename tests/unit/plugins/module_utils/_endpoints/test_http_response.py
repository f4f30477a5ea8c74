# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses that arrive as a whole or in parts of any size."""

from __future__ import annotations

import tracemalloc

import pytest
from targets import parse_http

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\nserver: envoy\r\ntransfer-encoding: chunked\r\n\r\n"
RESPONSE = HEAD + b"4\r\nabcd\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, len(HEAD), 1_000])
def test_response_is_equal_in_parts_of_any_size(size: int) -> None:
    response = parse_http(RESPONSE, size)
    headers = {"server": "envoy", "transfer-encoding": "chunked"}
    assert response == HttpResponse(200, headers, b"abcd", complete=True, reusable=True, transferred=4)


@pytest.mark.parametrize("size", [1, 1_000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RESPONSE.replace(b"server: envoy", b"connection: close"), (b"abcd", False)),
        (RESPONSE.replace(b"HTTP/1.1", b"HTTP/1.0"), (b"abcd", False)),
        (HEAD + b"4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n", (b"abcdefgh", True)),
        (HEAD + b"4\r\nabcd\r\n0\r\nx: y\r\n\r\n", (b"abcd", True)),
        (HEAD + b"0\r\n\r\n", (b"", True)),
        (HEAD + b"fff\r\nabcd\r\n0\r\n\r\n", "unparsable"),
        (HEAD + b"1001\r\n" + b"a" * 0x1001 + b"\r\n0\r\n\r\n", "too_large"),
        (RESPONSE.replace(b"server: envoy", b"content-encoding: gzip"), "unparsable"),
    ],
)
def test_less_usual_responses_are_read(data: bytes, expected: tuple[bytes, bool] | str, size: int) -> None:
    response = parse_http(data, size)
    assert (response if isinstance(response, str) else (response.body, response.reusable)) == expected


def test_small_chunks_take_little_memory() -> None:
    data = HEAD + b"2\r\nab\r\n" * 20_000 + b"0\r\n\r\n"
    tracemalloc.start()
    try:
        response = parse_http(data, 65_536, limit=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 600_000
    finally:
        tracemalloc.stop()
    assert isinstance(response, HttpResponse)
    assert response.body == b"ab" * 20_000
