# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of envoy_stats against an Envoy that is played: what is asked, how often, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.broadcast import broadcast
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity, Samples
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Outcome,
    Page,
    Selection,
    Snapshot,
    SpecError,
    inspect,
    judge_hosts,
    parse_assertions,
    parse_endpoints,
    watch,
)

INFO = {
    "version": "sha/1.40.0/Clean/RELEASE/BoringSSL",
    "state": "LIVE",
    "uptime_current_epoch": "100s",
    "node": {},
}


class Played(Stream):
    """An Envoy with these stats, some of which are counters."""

    def __init__(self, values: Mapping[str, int], counters: frozenset[str], asked: list[str]) -> None:
        super().__init__(socket.socket())
        self._values, self._counters, self._seen = values, counters, asked

    async def send(self, data: bytes) -> None:
        self._seen.append(data.split()[1].decode())

    async def receive(self) -> bytes:
        names = [name for name in self._values if "Counters" not in self._seen[-1] or name in self._counters]
        stats = [{"name": name, "value": self._values[name]} for name in names]
        said = INFO if self._seen[-1] == "/server_info" else {"stats": stats}
        body = json.dumps(said, separators=(",", ":")).encode()
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            len(body),
            body,
        )


Look = Callable[..., tuple[Outcome, list[str]]]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Looks at an Envoy with `values` that had those of `before`."""

    def look(
        values: Mapping[str, int],
        *assertions: dict[str, Any],
        counters: tuple[str, ...] = (),
        before: Mapping[str, int] | None = None,
        **arguments: Any,
    ) -> tuple[Outcome, list[str]]:
        asked: list[str] = []

        async def open_it(self: Connector, endpoint: Endpoint) -> Stream:
            return Played(values, frozenset(counters), asked)

        monkeypatch.setattr(Connector, "open", open_it)
        samples = Samples(Selection(everything=True), dict(before or {}))
        now = time.time()
        then = Page("edge", "envoy", now, {"stats": samples}, Identity("1.40.0", "LIVE", 50, now - 50, None))
        since = None if before is None else Snapshot(now, {"edge": then})
        endpoints = parse_endpoints([{"name": "edge", "url": "http://edge"}])
        return watch(endpoints, parse_assertions(assertions), since, **arguments), asked

    return look


FELL = {"before": {"a": 5, "b": 5, "all": 1}, "values": {"a": 4, "b": 3, "all": 11}}
DELTA = {"of": "delta", "op": "le", "value": 0}


@pytest.mark.parametrize(
    "asked",
    [
        {"stat": "a"},
        {"match": "[ab]"},
        {"match": "[ab]", "across": "sum", "op": "eq", "value": -3},
        {"stat": "a", "over": "all", "op": "eq", "value": -0.1},
        {"match": "[ab]", "over_match": "all|b", "across": "sum", "op": "eq", "value": -0.375},
        {"stat": "a", "op": "eq", "value": {"stat": "a", "of": "delta"}},
        {"stat": "all", "op": "gt", "value": {"match": "[ab]", "of": "delta", "across": "sum"}},
        {"stat": "all", "op": "gt", "value": {"stat": "a", "over": "all", "of": "delta"}},
    ],
)
def test_a_gauge_that_fell_was_not_reset(look: Look, asked: dict[str, Any]) -> None:
    outcome, questions = look(
        FELL["values"], {**DELTA, **asked}, before=FELL["before"], wait=False, counters=("all",)
    )
    assert outcome.ok, outcome.message
    assert sum("Counters" in one for one in questions) == 1
    # Of a counter it is a reset.
    outcome, _questions = look(
        FELL["values"], {**DELTA, **asked}, before=FELL["before"], counters=("a", "b", "all")
    )
    assert outcome.failure == "restarted"
    assert outcome.attempts == 1
    assert "its counters were reset" in outcome.message


def test_of_two_that_are_compared_both_are_asked_after(look: Look) -> None:
    asked = {"stat": "b", "of": "delta", "op": "lt", "value": {"stat": "a", "of": "delta"}}
    outcome, _questions = look(FELL["values"], asked, before=FELL["before"], wait=False)
    assert outcome.ok, outcome.message


def test_of_more_gauges_than_are_shown_all_are_asked_after(look: Look) -> None:
    now = {f"g{number}": 4 for number in range(2_500)}
    before = dict.fromkeys(now, 5)
    outcome, _asked = look(
        now, {**DELTA, "match": "g.*"}, {**DELTA, "match": "g.*", "across": "sum"}, before=before
    )
    assert outcome.ok, outcome.message


HERE = {"stat": "a", "op": "eq", "value": 1}


def test_a_wait_without_time_looks_once(look: Look) -> None:
    for value, ok in ((1, True), (2, False)):
        outcome, asked = look({"a": value}, HERE, wait=True, timeout=0, identity=False)
        assert (outcome.ok, outcome.attempts) == (ok, 1)
        assert sum("Counters" not in one for one in asked) == 1


NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeout": NAN}, "timeout: expected a number"),
        ({"timeout": -1}, "timeout: expected a number of 0 or more"),
        ({"timeout": float("inf")}, "timeout: expected a number of 0 or more"),
        ({"sleep": -0.5}, "sleep: expected a number of 0 or more"),
        ({"sleep": NAN}, "sleep: expected a number"),
    ],
)
def test_a_time_that_cannot_be_meant(look: Look, given: dict[str, float], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        look({"a": 2}, HERE, wait=True, **given)


@pytest.mark.parametrize("timeout", [NAN, -1, 0])
def test_a_time_to_read_in_that_cannot_be_meant(look: Look, timeout: float) -> None:
    endpoints = parse_endpoints([{"name": "edge", "url": "http://edge"}])
    with pytest.raises(SpecError, match="timeout: expected"):
        inspect(endpoints, timeout=timeout)
    with pytest.raises(SpecError, match="timeout: expected"):
        broadcast(endpoints, lambda client, reply: asyncio.sleep(0), list, timeout)


def test_where_nothing_is_expected_nothing_holds(look: Look) -> None:
    with pytest.raises(SpecError, match="assertions is empty"):
        look({"a": 1})
    with pytest.raises(SpecError, match="assertions is empty"):
        judge_hosts([], Snapshot(1.0, {"a/edge": Page("a/edge", "envoy", 1.0)}))
