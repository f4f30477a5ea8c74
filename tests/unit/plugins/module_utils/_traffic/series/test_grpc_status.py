# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the statuses of gRPC, and of the expectations about them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import Answer
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Tally, add_up
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    check_expectations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.grpc_status import (
    status_name,
    status_of_http,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic


def test_status_has_a_name() -> None:
    assert [status_name(code) for code in ("0", "16", "17", "x")] == [
        "OK",
        "UNAUTHENTICATED",
        "UNKNOWN",
        "UNKNOWN",
    ]
    assert [status_of_http(status) for status in (404, 503, 418, None)] == [
        "UNIMPLEMENTED",
        "UNAVAILABLE",
        "UNKNOWN",
        "UNKNOWN",
    ]


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ({"grpc_status": "ok"}, 1),
        ({"grpc_status": 14}, 1),
        ({"grpc_status": "OK", "of": "share"}, 0.5),
        ({"trailer": {"name": "X-Cost", "matches": "^[0-9]+$"}}, 1),
        ({"messages": "total"}, 3),
        ({"messages": "mean"}, 1.5),
        ({"connections": "opened"}, 2),
        ({"connections": "retried"}, 7),
    ],
)
def test_number_of_a_grpc_expectation(subject: dict[str, Any], value: float) -> None:
    entry = {"url": "http://a/b.C/D", "protocol": "grpc", "expect": [{**subject, "op": "eq", "value": value}]}
    [traffic] = parse_traffic([entry])
    tally = Tally(traffic)
    tally.answer(Answer(200, {}, messages=3, grpc_status="OK", trailers={"x-cost": "12"}), 0.1)
    tally.answer(Answer(200, {}, grpc_status="UNAVAILABLE"), 0.1)
    [outcome] = check_expectations(traffic, add_up(traffic, [tally], 1.0, connections=2, retries=7))
    assert outcome["ok"], outcome["message"]
