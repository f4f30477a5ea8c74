# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocking calls from asyncio, in a daemon thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
    """Return what `function` returns, or raise what it raises, without blocking the event loop.

    asyncio.to_thread joins its threads when the loop closes, so that a call which hangs delays the end of the program.
    This thread is a daemon: nothing waits for it.

    Args:
        function: The blocking call.
        discard: Is called with a result that arrives after this coroutine was cancelled, for example to close a connection.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if future.done():
            if error is None and discard is not None:
                discard(result)  # type: ignore[arg-type]
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function()
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(deliver, result, error)
        except RuntimeError:  # the loop is closed
            if error is None and discard is not None:
                with contextlib.suppress(Exception):
                    discard(result)  # type: ignore[arg-type]

    threading.Thread(target=call, daemon=True).start()
    return await future
