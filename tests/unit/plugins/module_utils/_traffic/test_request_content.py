# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the bytes that a request sends, and of its headers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.http_head import parse_head
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import HeaderMatch
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic


def parsed(**keys: Any) -> Traffic:
    (traffic,) = parse_traffic([{"url": "http://127.0.0.1/", **keys}])
    return traffic


@pytest.mark.parametrize(
    ("keys", "body"),
    [
        ({"body": "text"}, b"text"),
        ({"body": "true"}, b"true"),
        ({"body": 7}, b"7"),
        ({"body": {"a": True, "b": [1, None], "c": "ü"}}, '{"a": true, "b": [1, null], "c": "ü"}'.encode()),
        ({"body": [1]}, b"[1]"),
        ({"body": "AP9h", "body_encoding": "base64"}, b"\0\xffa"),
    ],
)
def test_body_is_text_json_or_bytes(keys: dict[str, Any], body: bytes) -> None:
    assert parsed(**keys).body == body
    assert parsed(**keys).method == "POST"


def test_payload_can_be_bytes() -> None:
    assert parsed(url="tcp://a:1", payload="AP8=", payload_encoding="base64").payload == b"\0\xff"


def test_json_has_its_content_type_unless_headers_state_one() -> None:
    assert parsed(body={"a": 1}).headers == (("content-type", "application/json"),)
    assert parsed(body={"a": 1}, headers={"Content-Type": "a/b"}).headers == (("content-type", "a/b"),)
    assert parsed(body="{}").headers == ()


def test_list_repeats_a_header() -> None:
    assert parsed(headers={"x-a": ["1", 2], "x-b": "3"}).headers == (("x-a", "1"), ("x-a", "2"), ("x-b", "3"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"headers": {"x-a": True}}, "traffic[0].headers.x-a: expected text, got true, which YAML has converted. Put it in quotes."),
        ({"headers": {"x-a": 1.1}}, "traffic[0].headers.x-a: expected text, got 1.1, which YAML has converted. Put it in quotes."),
        ({"headers": {"x-a": ["1", False]}}, "traffic[0].headers.x-a[1]: expected text, got false, which YAML has converted."),
        ({"headers": {"x-a": {"b": 1}}}, "traffic[0].headers.x-a: expected text, got {'b': 1}."),
        ({"body": True}, "traffic[0].body: expected text, got true, which YAML has converted. Put it in quotes."),
        ({"body": "%", "body_encoding": "base64"}, "traffic[0].body: not Base64. Encode it, or remove body_encoding."),
        ({"body": {}, "body_encoding": "base64"}, "traffic[0].body: expected text, got {}."),
    ],
)  # fmt: skip
def test_converted_value_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parsed(**keys)
    assert message in str(caught.value)


def test_each_value_of_a_repeated_response_header_counts() -> None:
    answer = parse_head(b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n")
    field = answer.headers["set-cookie"]
    assert field == "a=1, b=2"
    for value in ("a=1", "b=2", "a=1, b=2"):
        assert HeaderMatch("set-cookie", value).matches(field)
    assert not HeaderMatch("set-cookie", "a").matches(field)
    assert HeaderMatch("set-cookie", pattern=re.compile("^b=")).matches(field)
