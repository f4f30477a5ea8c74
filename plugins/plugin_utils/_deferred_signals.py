# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a task of a worker between two messages.

On SIGINT, ansible-playbook sends the signal to its workers, and Ansible's handler ends a worker at once. If the worker is writing a message
at that moment, it holds the lock of Ansible's queue, and ansible-playbook waits for that lock without end (ansible-core 2.19).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred_signals(on_signal: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Call `on_signal` when the process receives a signal of SIGNALS, and handle the signal at the end. Use it in the main thread.

    Ansible waits 10 s for its workers, so the block is short, or `on_signal` makes it end sooner.
    """
    received: list[int] = []

    def defer(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        on_signal()

    try:
        with _handled(defer):
            yield
    finally:
        if received:
            os.kill(os.getpid(), received[0])


@contextmanager
def before_signals(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call `on_signal` once before signals of SIGNALS are handled as usual. Use it in the main thread."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        # A signal that arrives during on_signal interrupts it: only the first call may do anything that cannot be done twice at once.
        if len(received) > 1:
            return
        on_signal()
        for one, handler in previous.items():
            signal.signal(one, handler)
        for one in received:
            os.kill(os.getpid(), one)

    with _handled(handle) as previous:
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[dict[int, Any]]:
    """Handle SIGNALS by `handler` during the block; yield the previous handlers."""
    previous = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield previous
    finally:
        for number, one in previous.items():
            signal.signal(number, one)
