# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signal is handled after a task, not within it."""

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils._deferred_signals import SIGNALS, deferred_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_is_handled_at_the_end(number: int) -> None:
    events: list[str] = []
    before = signal.signal(number, lambda *_arguments: events.append("handled"))
    try:
        with deferred_signals(lambda: events.append("noted")):
            os.kill(os.getpid(), number)
            events.append("still running")
        assert events == ["noted", "still running", "handled"]
    finally:
        signal.signal(number, before)


def test_handlers_are_restored_without_a_signal() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with deferred_signals(lambda: None):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
