# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a long task of a worker between two messages.

On SIGINT, ansible-playbook sends the signal to its workers, and Ansible's handler ends a worker at once. If the worker is writing a message
at that moment, it holds the lock of Ansible's queue, and ansible-playbook waits for that lock without end (ansible-core 2.19).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred_signals(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call `on_signal` when the process receives a signal of SIGNALS, and handle the signal at the end. Use it in the main thread.

    Ansible waits 10 s for its workers, so `on_signal` has to make the task end sooner.
    """
    received: list[int] = []

    def defer(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        on_signal()

    previous = {number: signal.signal(number, defer) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            os.kill(os.getpid(), received[0])
