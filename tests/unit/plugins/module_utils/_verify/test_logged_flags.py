# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The response flags of a traffic, from access logs that are complete or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import Answer
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import Tally, add_up
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    check_expectations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.logged_flags import FlagReader

ENTRY = {
    "name": "shop",
    "url": "http://127.0.0.1:1/",
    "expect": [{"response_flag": "UF", "op": "eq", "value": 2}],
}


class FakeObserver:
    """Has the lines of the proxies, one more for each call."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.calls = 0

    def recent_log_lines(self, workloads: Any, _since: float, _timeout: float) -> Any:
        self.calls += 1
        return {workloads[0]: self.lines[: self.calls], "web-1-envoy": self.lines}


def line(agent: str, flags: str) -> str:
    return json.dumps({"response_code": 503, "path": "/", "response_flags": flags, "user_agent": agent})


def flags_of(answers: int, *flags: str, agent: str = "") -> Any:
    """Return the flags that are read for a traffic with this number of answers, if the log has these flags, and its outcomes."""
    reader = FlagReader(targets={"shop": "edge"}, workloads={"edge": ("edge",)})
    traffic = reader.marked(parse_traffic([ENTRY])[0])
    own = agent or dict(traffic.headers)["user-agent"]
    observer: Any = FakeObserver(*(line(own, one) for one in flags), line("curl", "NR"))
    reader = FlagReader(observer, reader.workloads, reader.targets)
    tally = Tally(traffic)
    for _answer in range(answers):
        tally.answer(Answer(503, {}), 0.1)
    result = add_up(traffic, [tally], 1)
    result.response_flags = reader.reader(traffic, sleep=lambda _seconds: None)(result)
    return result.response_flags, check_expectations(traffic, result)[0]


def test_flags_are_counted_when_the_log_is_complete() -> None:
    flags, outcome = flags_of(3, "UF,URX", "-", "UF")
    assert flags == {"UF": 2, "URX": 1, "none": 1}
    assert outcome["ok"]


def test_incomplete_log_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "ansible_collections.meshlab.envoy.plugins.module_utils._verify.logged_flags"
    monkeypatch.setattr(f"{module}.LOG_TIMEOUT", 0.05)
    flags, outcome = flags_of(4, "UF", "UF", "UF")
    assert flags is None
    assert not outcome["ok"]
    assert outcome["message"].startswith("expected 2, got no answer (answers with response flag UF")


def test_more_requests_than_were_sent_have_no_number() -> None:
    assert flags_of(1, "UF", "UF")[0] == {"UF": 1}, "complete with the first line"
    reader = FlagReader(targets={"shop": "edge"}, workloads={"edge": ("edge",)})
    traffic = reader.marked(parse_traffic([ENTRY])[0])
    agent = dict(traffic.headers)["user-agent"]
    observer: Any = FakeObserver(line(agent, "UF"), line(agent, "UF"))
    observer.calls = 1
    tally = Tally(traffic)
    tally.answer(Answer(503, {}), 0.1)
    read = FlagReader(observer, reader.workloads, reader.targets).reader(traffic)
    assert read(add_up(traffic, [tally], 1)) is None


def test_only_traffic_with_the_expectation_is_marked() -> None:
    plain, stated = parse_traffic(
        [{"url": "http://a/"}, {**ENTRY, "headers": {"user-agent": "me"}, "protocol": "http2"}]
    )
    assert FlagReader().marked(plain) is plain
    assert FlagReader().marked(stated) is stated
    marked = FlagReader().marked(parse_traffic([{**ENTRY, "headers": {"x-a": "1"}}])[0])
    assert [name for name, _value in marked.headers] == ["x-a", "user-agent"]
    assert marked.entry["headers"]["user-agent"] == dict(marked.headers)["user-agent"]


def test_traffic_outside_a_demo_has_no_access_log() -> None:
    with pytest.raises(
        ArgumentError, match="shop: expect: response_flag is in the access log of a demo's proxy"
    ):
        send_traffic(parse_traffic([ENTRY])[0])
