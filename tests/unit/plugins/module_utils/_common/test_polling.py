# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait loop: its pauses and its deadline, by a clock that only the pauses move."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts


class FakeClock:
    """A clock that `sleep` moves; `pauses` are the arguments of `sleep`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_zero_seconds_yield_once() -> None:
    clock = FakeClock()
    assert list(attempts(0, clock=clock, sleep=clock.sleep)) == [0.0]
    assert clock.pauses == []


def test_pauses_grow_to_the_longest() -> None:
    clock = FakeClock()
    for _left in attempts(100, first_pause=1, longest_pause=2, clock=clock, sleep=clock.sleep):
        if len(clock.pauses) == 4:
            break
    assert clock.pauses == [1, 1.5, 2, 2]


def test_last_attempt_is_at_the_deadline() -> None:
    clock = FakeClock()
    left = list(attempts(2, first_pause=1, longest_pause=5, clock=clock, sleep=clock.sleep))
    assert clock.pauses == [1, 1]
    assert left == pytest.approx([2, 1, 0])


def test_work_that_passes_the_deadline_ends_the_loop() -> None:
    clock = FakeClock()
    for _left in attempts(1, clock=clock, sleep=clock.sleep):
        clock.now += 5
    assert clock.pauses == []
