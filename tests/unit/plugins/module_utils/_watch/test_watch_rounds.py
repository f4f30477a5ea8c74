# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rounds of a live view: one reading for all viewers, none without viewers, and the reasons to stop."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from watched_demo import START, FakeReader, silent_page, watched_demo

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.stop_texts import (
    not_running,
    option_problem,
    stop_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_rounds import (
    DURATION,
    GONE_AFTER,
    IDLE,
    INTERRUPTED,
    REDEPLOYED,
    REMOVED,
    Facts,
    Limits,
    Round,
    WatchRounds,
    stop_reason,
)

LIMITS = Limits(interval=2, idle_timeout=300, duration=1000)
RUNNING: dict[str, Any] = {
    "began": 0,
    "now": 100,
    "viewer_left": None,
    "answered": 99,
    "deployed_before": "a",
    "deployed_now": "a",
}
PLAN = {"name": "shop", "platform": "local", "folder": "~/shop"}
FAST = Limits(interval=0.001)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, ""),
        ({"deployed_now": None}, REMOVED),
        ({"deployed_now": "b"}, REDEPLOYED),
        ({"deployed_now": ""}, ""),  # a deployment is in progress
        ({"deployed_before": "", "deployed_now": "b"}, REDEPLOYED),
        ({"deployed_before": None, "deployed_now": None}, ""),  # another controller deployed it
        ({"deployed_before": None, "deployed_now": None, "answered": 100 - GONE_AFTER}, REMOVED),
        ({"answered": 0}, ""),  # the record is there: its Envoys may start again
        ({"began": -900}, DURATION),
        ({"viewer_left": -199}, ""),
        ({"viewer_left": -200}, IDLE),
    ],
)
def test_view_stops_by_itself(facts: dict[str, Any], reason: str) -> None:
    assert stop_reason(Facts(**{**RUNNING, **facts}), LIMITS) == reason


def run(rounds: WatchRounds) -> threading.Thread:
    thread = threading.Thread(target=rounds.run)
    thread.start()
    return thread


def next_round(rounds: WatchRounds, number: int) -> Round:
    found = rounds.next_after(number, timeout=60)
    assert found is not None
    return found


def test_each_reading_is_one_round_for_all_viewers() -> None:
    reader = FakeReader()
    rounds = WatchRounds(watched_demo(), reader, FAST)
    rounds.first()
    seen: list[list[int]] = [[] for _number in range(8)]

    def view(numbers: list[int]) -> None:
        rounds.join()
        for _number in range(5):
            found = next_round(rounds, numbers[-1] if numbers else 0)
            # The rate of the fake is 10 per second in each round, however many viewers there are.
            assert found.number == 1 or found.state["rate"] == 10
            numbers.append(found.number)
        rounds.leave()

    thread = run(rounds)
    viewers = [threading.Thread(target=view, args=(numbers,)) for numbers in seen]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join(60)
    reader.record = None
    thread.join(60)
    assert all(len(numbers) == 5 and numbers == sorted(set(numbers)) for numbers in seen)
    assert reader.reads == rounds.newest().number, "no viewer caused a reading of its own"
    assert rounds.end == REMOVED


def test_nothing_is_read_without_viewers() -> None:
    looked = threading.Event()

    class Counting(FakeReader):
        looks = 0

        def deployment(self) -> str | None:
            self.looks += 1
            if self.looks == 20:
                looked.set()
            return super().deployment()

    reader = Counting()
    rounds = WatchRounds(watched_demo(), reader, FAST)
    rounds.first()
    thread = run(rounds)
    assert looked.wait(60)
    assert reader.reads == 1
    rounds.join()
    # A viewer on a busy machine can miss rounds, which are a millisecond apart.
    assert next_round(rounds, 1).number >= 2
    reader.record = "second"
    thread.join(60)
    assert rounds.end == REDEPLOYED


def test_viewer_that_waits_is_released_at_the_end() -> None:
    reader = FakeReader()
    rounds = WatchRounds(watched_demo(), reader, FAST)
    rounds.first()
    reader.record = None
    thread = run(rounds)
    assert rounds.next_after(10**9, timeout=60) is None
    thread.join(60)


def test_interrupted_view_stops_at_once() -> None:
    rounds = WatchRounds(watched_demo(), FakeReader(), Limits(interval=3600))
    rounds.first()
    thread = run(rounds)
    rounds.interrupt()
    thread.join(60)
    assert rounds.end == INTERRUPTED


def test_end_waits_until_viewers_have_left() -> None:
    rounds = WatchRounds(watched_demo(), FakeReader(), FAST)
    rounds.first()
    rounds.join()
    left = threading.Thread(target=rounds.wait_for_viewers_to_leave, args=(60,))
    left.start()
    assert left.is_alive()
    rounds.leave()
    left.join(30)
    assert not left.is_alive()


def test_terminal_counts_as_a_viewer_and_gets_each_round() -> None:
    reader, numbers = FakeReader(), []

    def show(found: Round) -> None:
        numbers.append(found.number)
        if found.number == 4:
            reader.record = None

    rounds = WatchRounds(watched_demo(), reader, FAST, show)
    rounds.first()
    assert rounds.run() == REMOVED
    assert numbers[:4] == [1, 2, 3, 4]
    assert len(rounds.newest().history) == len(numbers) - 1, "the first reading has no rate"


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            None,
            (
                "shop on local: the demo does not run: nothing is deployed in ~/shop. Deploy it first: make demo DEMO=shop PLATFORM=local,"
                " or the playbook meshlab.envoy.site."
            ),
        ),
        (
            "a",
            (
                "shop on local: no Envoy answers: http://edge: no answer. Deploy it first: make demo DEMO=shop PLATFORM=local,"
                " or the playbook meshlab.envoy.site."
            ),
        ),
    ],
)
def test_demo_that_does_not_run_is_refused(record: str | None, text: str) -> None:
    class Silent(FakeReader):
        def read(self) -> Reading:
            return Reading(Snapshot(START, {"edge": silent_page("edge", 0)}), record)

    first = WatchRounds(watched_demo(), Silent(), FAST).first()
    assert not_running(PLAN, first, record) == text


def test_running_demo_is_not_refused() -> None:
    assert not_running(PLAN, WatchRounds(watched_demo(), FakeReader(), FAST).first(), None) == ""


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("interval", 0.1, "watch_interval: expected 0.2 to 3600 seconds, got 0.1. Correct it."),
        ("interval", float("nan"), "watch_interval: expected 0.2 to 3600 seconds, got nan. Correct it."),
        ("duration", 0, "watch_duration: expected more than 0 seconds, got 0. Correct it."),
        ("idle_timeout", -1, "watch_idle_timeout: expected more than 0 seconds, got -1. Correct it."),
        ("port", 70000, "watch_port: expected a number from 0 to 65535, got 70000. Correct it."),
    ],
)
def test_wrong_option_is_refused(option: str, value: float, text: str) -> None:
    options = {"interval": 2.0, "idle_timeout": 300.0, "duration": 60.0, "port": 0}
    assert option_problem(options) == ""
    assert option_problem({**options, option: value}) == text


def test_end_names_the_demo_and_the_remedy() -> None:
    assert stop_text("shop", REMOVED) == "shop was removed."
    assert stop_text("shop", IDLE) == "shop has no viewer any more. Run the same command to watch it again."
