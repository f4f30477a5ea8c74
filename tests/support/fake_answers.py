# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fake answers, and the result of a traffic that received them."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Result, Tally, add_up
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic


def fake_answer(status: int = 200, host: str = "a", body: bytes = b"hello", **headers: str) -> Answer:
    """Return an answer of Envoy."""
    return Answer(status, {"server": "envoy", "x-served-by": host, **headers}, body, len(body))


REFUSED = RequestError("connect", "cannot connect to a:80: connection refused")
MIXED = [fake_answer()] * 18 + [fake_answer(503, "b")] * 2


def fake_result(
    expect: list[dict[str, Any]], *answers: Answer | RequestError, **keys: Any
) -> tuple[Traffic, Result]:
    """Return a traffic and its result for answers that took 1, 2, 3 … ms, counted by two senders."""
    traffic = parse_traffic([{"url": "http://127.0.0.1/", "name": "service 1", "expect": expect, **keys}])[0]
    tallies = [Tally(traffic), Tally(traffic)]
    for position, answer in enumerate(answers):
        if isinstance(answer, RequestError):
            tallies[position % 2].failure(answer)
        else:
            tallies[position % 2].answer(answer, (position + 1) / 1000)
    return traffic, add_up(traffic, tallies, 0.5, 2, 1)
