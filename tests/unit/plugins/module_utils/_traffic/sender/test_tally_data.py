# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the counts that a sender passes on."""

from __future__ import annotations

import json

from fake_answers import fake_answer

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import RequestError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Sent, Tally, add_up
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.tally_data import (
    sent_data,
    tally_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def test_counts_are_equal_after_a_round_trip() -> None:
    expect = [
        {"header": {"name": "x-a"}, "op": "eq", "value": 1},
        {"body": "never", "op": "eq", "value": 0},
    ]
    [traffic] = parse_traffic([{"url": "http://a", "expect": expect}])
    tally = Tally(traffic)
    tally.answer(fake_answer(200, "a", b"hello", **{"x-a": "1"}), 0.5)
    tally.answer(fake_answer(503, "b", b"\xff"), 0.25)
    tally.failure(RequestError("timeout", "too late"))
    data = json.loads(json.dumps(sent_data(Sent(tally, 2.0, 3, 1))))
    copied = tally_of(data, traffic)
    assert add_up(traffic, [copied], 2.0, 3, 1).as_data() == add_up(traffic, [tally], 2.0, 3, 1).as_data()
    assert copied.bodies == {200: b"hello", 503: b"\xff"}
