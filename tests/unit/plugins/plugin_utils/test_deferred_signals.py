# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end a task: what runs before them, and that each of them is handled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils._deferred_signals import (
    SIGNALS,
    before_signals,
    deferred_signals,
)


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """Return the signals that were handled as usual."""
    numbers: list[int] = []
    previous = {one: signal.signal(one, lambda number, _frame: numbers.append(number)) for one in SIGNALS}
    yield numbers
    for one, handler in previous.items():
        signal.signal(one, handler)


def test_second_signal_does_not_repeat_the_call(handled: list[int]) -> None:
    """The call waits for a thread: a second call would wait for the lock that the first one has, without end."""
    calls = []

    def on_signal() -> None:
        calls.append(list(handled))
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with before_signals(on_signal):
        os.kill(os.getpid(), signal.SIGINT)
    assert calls == [[]]
    assert handled == [signal.SIGINT, signal.SIGTERM]


def test_signals_are_handled_at_the_end_of_the_block(handled: list[int]) -> None:
    with deferred_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        assert handled == []
    assert handled == [signal.SIGTERM]
