# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limit the time of asyncio code: `asyncio.timeout` of Python 3.11 for all supported versions."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from typing import Any


def time_limit(seconds: float) -> AbstractAsyncContextManager[Any]:
    """Return a context manager that cancels its block after `seconds`, and then raises TimeoutError.

    Example:
        async with time_limit(5):
            await response()
    """
    if sys.version_info >= (3, 11):
        return asyncio.timeout(seconds)
    return TimeLimit(seconds)


class TimeLimit:
    """`asyncio.timeout` for Python 3.9 and 3.10."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("time_limit: used outside of a task. Use it in a coroutine of asyncio.run.")
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(max(self._seconds, 0), self._expire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: Any
    ) -> None:
        self._timer.cancel()
        if self._expired and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()
