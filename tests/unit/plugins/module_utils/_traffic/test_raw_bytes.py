# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies over TCP, TLS and UDP: which bytes are the expected ones, and which host sent them."""

from __future__ import annotations

import re

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.raw_bytes import (
    host_in,
    reply_matches,
    reply_mismatch,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


@pytest.mark.parametrize(
    ("reply", "data", "matches"),
    [(None, b"", True), (b"^pong$", b"x\npong", True), (b"^pong$", b"ponga", False)],
)
def test_reply_matches(reply: bytes | None, data: bytes, matches: bool) -> None:
    assert reply_matches(re.compile(reply, re.MULTILINE) if reply else None, data) is matches


def test_host_is_the_first_group_or_the_whole_match() -> None:
    for host_from, host in (
        ({"host_from": {"body": r"host (\S+)"}}, "web-1"),
        ({"host_from": {"body": r"web-\d"}}, "web-1"),
        ({}, "edge"),
        ({"host_from": {"body": "nothing"}}, None),
    ):
        [traffic] = parse_traffic([{"url": "tcp://a:1", **host_from}])
        assert host_in(traffic, b"host web-1 \nserved-by edge\n\xff") == host


def test_mismatch_shows_the_start_of_a_long_reply() -> None:
    [traffic] = parse_traffic([{"url": "tcp://a:1", "reply": "^ping"}])
    text = reply_mismatch(traffic, b"pong" * 1000)
    assert text.startswith("expected a reply that matches '^ping', got b'pongpong")
    assert len(text) < 150
