# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary that fails in one of its steps returns to the previous state live, and the playbook reports both."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from deployment import take_down
from live import Home, demo_data
from request_load import Lane, RequestLoad

DEMO = "canary"
PORT = 8091
DURING = "all requests, while the canary advances"
SHORT = {DURING: {"duration": 2}}
# The load of a test adds to the counters, so only the responses and the ratios have exact expectations.
NO_SUMS: dict[str, Any] = {"expectations": []}
# All requests to version 2 fail. A route applies to the next request, also on a kept connection.
FAULT = [
    {"match": {"prefix": "/"}, "direct_response": {"status": 503, "body": {"inline_string": "bad version"}}}
]
BAD = {"services": {"v2": {"sidecar": {"listeners": {"ingress": {"port": 10000, "routes": FAULT}}}}}}


@pytest.fixture
def home() -> Iterator[Home]:
    with closing(Home("local")) as one:
        yield one
        take_down(one, DEMO)


def with_bad_version(position: int) -> dict[str, Any]:
    """Return the change `advance` with a step that makes version 2 fail."""
    steps = copy.deepcopy(demo_data(DEMO, 0)["changes"]["advance"]["steps"])
    steps[position]["set"] |= BAD
    return {"advance": {"during": SHORT, "steps": steps, **NO_SUMS}}


def test_good_canary_advances_to_all_requests(home: Home) -> None:
    demo = home.demo(DEMO, changes={"advance": {"during": SHORT, **NO_SUMS}}, **NO_SUMS)
    home.play("site", "--skip-tags", "verify", demo=demo)
    predicted = home.play("change", "--check", demo=demo, change="advance")
    assert predicted.recap["failed"] == 0
    before = home.running(DEMO)
    with RequestLoad([lane(home)]) as load:
        load.begin("advance")
        output = home.play("change", demo=demo, change="advance").words
        counts = load.settled(least=100)
    assert output.count("1 expectation holds") == 2  # the traffic of both steps
    assert "3 of 3 expectations hold" in output
    assert "2 of 2 expectations hold" in output
    assert not counts.failures
    assert home.running(DEMO) == before, "a workload was restarted"


@pytest.mark.parametrize(
    "position", [0, pytest.param(1, marks=pytest.mark.slow)], ids=["first step", "second step"]
)
def test_bad_canary_returns_to_the_previous_state(home: Home, position: int) -> None:
    demo = home.demo(DEMO, changes=with_bad_version(position), **NO_SUMS)
    home.play("site", "--skip-tags", "verify", demo=demo)
    before = home.running(DEMO)
    with RequestLoad([lane(home)]) as load:
        load.begin("canary")
        output = home.play("change", demo=demo, change="advance", ok=False).words
        during = load.settled(least=1)
        load.begin("undone")
        after = load.settled(least=500)
    assert "expected at least 0.99, got " in output
    assert f"changes.advance.steps[{position}].during: 1 of 1 expectations failed." in output
    assert (
        "The change advance was undone: the demo runs without a change again, which was deployed live and verified."
        in output
    )
    assert set(during.failures) == {"requests: status 503 (bad version)"}
    assert not after.failures
    assert home.running(DEMO) == before, "a workload was restarted"
    # A later change returns to the same state if it fails.
    record = json.loads((home.state(DEMO) / ".files.json").read_text(encoding="utf-8"))["deployed"]
    assert record["change"] == ""


@pytest.mark.slow
def test_previous_change_is_restored(home: Home) -> None:
    half = {"during": {"all requests, while the weights change": {"duration": 1}}}
    wrong = {**half, "set": BAD}
    demo = home.demo(DEMO, changes={"half": half, "all": wrong})
    home.play("site", "--skip-tags", "verify", demo=demo)
    home.play("change", demo=demo, change="half")
    # Without `rollback`, the changed demo stays.
    kept = home.play("change", demo=demo, change="all", ok=False).words
    assert "was undone" not in kept
    home.play("site", "--skip-tags", "verify", demo=demo)
    home.play("change", demo=demo, change="half")
    output = home.play("change", demo=demo, change="all", rollback=True, ok=False).words
    assert "The change all was undone: the demo runs with the change half again" in output
    assert "6 of 6 expectations hold" in home.play("verify", demo=demo, change="half").words


def lane(home: Home) -> Lane:
    return Lane("requests", "127.0.0.1", PORT + home.shift, ("/healthz",), rate=100)
