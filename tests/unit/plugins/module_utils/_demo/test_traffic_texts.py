# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the texts and files in the traffic of a demo."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

PATHS = ("traffic[0].headers.x-a", "traffic[0].headers.x-b[0]", "traffic[0].expect[0].header.value")
SOURCE = DemoSource(
    lines=dict.fromkeys(PATHS, 1),
    written=dict(zip(PATHS, ("yes", "1.10", "0644"), strict=True)),
    read={"a.bin": b"\0\xff", "a.txt": b"text"}.__getitem__,
)


def traffic(**keys: Any) -> dict[str, Any]:
    demo = read_demo("shop", changed("traffic", [{"to": "edge", **keys}]), source=SOURCE)
    (found,) = demo["traffic"]
    return {key: value for key, value in found.items() if key != "to"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", {"body": "text"}),
        (7, {"body": "7"}),
        ({"source": "a.bin"}, {"body": "AP8=", "body_encoding": "base64"}),
        ({"source": "a.txt"}, {"body": "text"}),
        ({"content": "text"}, {"body": "text"}),
        ({"source": "a", "other": 1}, {"body": {"source": "a", "other": 1}}),
        ([1, {"a": None}], {"body": [1, {"a": None}]}),
    ],
)
def test_body_is_text_a_file_or_json(value: Any, expected: dict[str, Any]) -> None:
    assert traffic(body=value) == expected


def test_payload_is_a_file() -> None:
    assert traffic(payload={"source": "a.bin"}) == {"payload": "AP8=", "payload_encoding": "base64"}


def test_headers_have_the_text_of_the_file() -> None:
    found = traffic(
        headers={"x-a": True, "x-b": [1.1, "c"], "x-d": 5},
        expect=[{"header": {"name": "x", "value": 420}, "op": "eq", "value": 1}],
    )
    assert found["headers"] == {"x-a": "yes", "x-b": ["1.10", "c"], "x-d": "5"}
    assert found["expect"][0]["header"]["value"] == "0644"


def test_traffic_of_changes_is_read() -> None:
    change = {"summary": "s", "during": [{"to": "edge", "body": {"source": "a.txt"}}]}
    demo = read_demo("shop", changed("changes.bigger", change), source=SOURCE)
    assert demo["changes"]["bigger"]["during"] == [{"to": "edge", "body": "text"}]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"headers": {"x-c": True}}, "traffic[0].headers.x-c: expected text, got true. Put it in quotes."),
        ({"headers": {"x-c": None}}, "traffic[0].headers.x-c: expected text, got null. Write '' for an empty text"),
        ({"body": {"source": "a.txt", "sensitive": True}}, "traffic[0].body.sensitive: results show what was sent."),
        ({"body": {"source": "a", "content": "b"}}, "traffic[0].body: has both 'source' and 'content'."),
    ],
)  # fmt: skip
def test_wrong_traffic_is_refused(keys: dict[str, Any], message: str) -> None:
    assert error_of(changed("traffic", [{"to": "edge", **keys}]), source=SOURCE).startswith(
        f"shop.yml: {message}"
    )
