# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for assertions about a fake Envoy: its requests, the attempts, and the outcome."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
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
    evaluate_hosts,
    parse_assertions,
    parse_endpoints,
    read_stats,
    wait_for,
)

INFO = {
    "version": "sha/1.40.0/Clean/RELEASE/BoringSSL",
    "state": "LIVE",
    "uptime_current_epoch": "100s",
    "node": {},
}


class FakeEnvoy(Stream):
    """An Envoy with these stats, some of which are counters; it records the paths of the requests."""

    def __init__(self, values: Mapping[str, int], counters: frozenset[str], requests: list[str]) -> None:
        super().__init__(socket.socket())
        self._values, self._counters, self._requests = values, counters, requests

    async def send(self, data: bytes) -> None:
        self._requests.append(data.split()[1].decode())

    async def receive(self) -> bytes:
        names = [
            name for name in self._values if "Counters" not in self._requests[-1] or name in self._counters
        ]
        stats = [{"name": name, "value": self._values[name]} for name in names]
        content = INFO if self._requests[-1] == "/server_info" else {"stats": stats}
        body = json.dumps(content, separators=(",", ":")).encode()
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            len(body),
            body,
        )


WaitFor = Callable[..., tuple[Outcome, list[str]]]


@pytest.fixture
def wait_for_fake(monkeypatch: pytest.MonkeyPatch) -> WaitFor:
    """Return a function that waits for assertions about a fake Envoy with `values`, which had those of `before` earlier."""

    def wait_for_fake(
        values: Mapping[str, int],
        *assertions: dict[str, Any],
        counters: tuple[str, ...] = (),
        before: Mapping[str, int] | None = None,
        **arguments: Any,
    ) -> tuple[Outcome, list[str]]:
        requests: list[str] = []

        async def open_it(self: Connector, endpoint: Endpoint) -> Stream:
            return FakeEnvoy(values, frozenset(counters), requests)

        monkeypatch.setattr(Connector, "open", open_it)
        samples = Samples(Selection(everything=True), dict(before or {}))
        now = time.time()
        then = Page("edge", "envoy", now, {"stats": samples}, Identity("1.40.0", "LIVE", 50, now - 50, None))
        since = None if before is None else Snapshot(now, {"edge": then})
        endpoints = parse_endpoints([{"name": "edge", "url": "http://edge"}])
        return wait_for(endpoints, parse_assertions(assertions), since, **arguments), requests

    return wait_for_fake


FELL = {"before": {"a": 5, "b": 5, "all": 1}, "values": {"a": 4, "b": 3, "all": 11}}
DELTA = {"of": "delta", "op": "le", "value": 0}


@pytest.mark.parametrize(
    "entry",
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
def test_fallen_gauge_is_not_a_reset(wait_for_fake: WaitFor, entry: dict[str, Any]) -> None:
    outcome, requests = wait_for_fake(
        FELL["values"], {**DELTA, **entry}, before=FELL["before"], wait=False, counters=("all",)
    )
    assert outcome.ok, outcome.message
    assert sum("Counters" in path for path in requests) == 1
    # A counter that falls was reset.
    outcome, _requests = wait_for_fake(
        FELL["values"], {**DELTA, **entry}, before=FELL["before"], counters=("a", "b", "all")
    )
    assert outcome.failure == "restarted"
    assert outcome.attempts == 1
    assert "the counter was reset" in outcome.message


def test_kinds_of_both_compared_stats_are_read(wait_for_fake: WaitFor) -> None:
    entry = {"stat": "b", "of": "delta", "op": "lt", "value": {"stat": "a", "of": "delta"}}
    outcome, _requests = wait_for_fake(FELL["values"], entry, before=FELL["before"], wait=False)
    assert outcome.ok, outcome.message


def test_kinds_of_all_readings_are_read(wait_for_fake: WaitFor) -> None:
    now = {f"g{number}": 4 for number in range(2_500)}
    before = dict.fromkeys(now, 5)
    outcome, _requests = wait_for_fake(
        now, {**DELTA, "match": "g.*"}, {**DELTA, "match": "g.*", "across": "sum"}, before=before
    )
    assert outcome.ok, outcome.message


EXISTING = {"stat": "a", "op": "eq", "value": 1}


def test_timeout_0_evaluates_once(wait_for_fake: WaitFor) -> None:
    for value, ok in ((1, True), (2, False)):
        outcome, requests = wait_for_fake({"a": value}, EXISTING, wait=True, timeout=0, identity=False)
        assert (outcome.ok, outcome.attempts) == (ok, 1)
        assert sum("Counters" not in path for path in requests) == 1


NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"timeout": NAN}, "timeout: expected a number"),
        ({"timeout": -1}, "timeout: expected a number of 0 or more"),
        ({"timeout": float("inf")}, "timeout: expected a number of 0 or more"),
        ({"sleep": -0.5}, "sleep: expected a number of 0 or more"),
        ({"sleep": NAN}, "sleep: expected a number"),
    ],
)
def test_times_have_to_be_finite_and_not_negative(
    wait_for_fake: WaitFor, given: dict[str, float], error: str
) -> None:
    with pytest.raises(ArgumentError, match=error):
        wait_for_fake({"a": 2}, EXISTING, wait=True, **given)


@pytest.mark.parametrize("timeout", [NAN, -1, 0])
def test_timeout_of_reading_has_to_be_positive(wait_for_fake: WaitFor, timeout: float) -> None:
    endpoints = parse_endpoints([{"name": "edge", "url": "http://edge"}])
    with pytest.raises(ArgumentError, match="timeout: expected"):
        read_stats(endpoints, timeout=timeout)
    with pytest.raises(ArgumentError, match="timeout: expected"):
        broadcast(endpoints, lambda client, reply: asyncio.sleep(0), list, timeout)


def test_empty_list_of_assertions_is_refused(wait_for_fake: WaitFor) -> None:
    with pytest.raises(ArgumentError, match="assertions: the list is empty"):
        wait_for_fake({"a": 1})
    with pytest.raises(ArgumentError, match="assertions: the list is empty"):
        evaluate_hosts([], Snapshot(1.0, {"a/edge": Page("a/edge", "envoy", 1.0)}))


def test_progress_names_the_first_assertion_that_does_not_hold(wait_for_fake: WaitFor) -> None:
    texts: list[str] = []
    holding = {"stat": "a", "op": "eq", "value": 1}
    failing = {"name": "all", "stat": "a", "op": "ge", "value": 3}
    wait_for_fake({"a": 1}, holding, failing, timeout=0.3, sleep=0.01, progress=texts.append)
    assert {*texts} == {"waiting for 1 of 2 assertions: all: expected at least 3, got 1 (a at edge)"}
