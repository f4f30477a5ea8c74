# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that blocks, done beside the loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def beside(work: Callable[[], T], too_late: Callable[[T], object] | None = None) -> T:
    """What `work` returns or raises, done in a thread that nobody waits for at the end: it may take longer than the deadline.

    Where its answer comes after that, `too_late` is given it.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def done(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            if error is None and too_late is not None:
                too_late(result)  # type: ignore[arg-type]
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(done, result, error)
        except RuntimeError:  # the loop has ended meanwhile
            if error is None and too_late is not None:
                with contextlib.suppress(Exception):
                    too_late(result)  # type: ignore[arg-type]

    threading.Thread(target=run, daemon=True).start()
    return await answer
