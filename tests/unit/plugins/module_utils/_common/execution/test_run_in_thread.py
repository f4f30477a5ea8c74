# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocking calls from asyncio: results, exceptions, and results that arrive too late."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.run_in_thread import (
    run_in_thread,
)


def test_result_comes_from_another_thread() -> None:
    thread = asyncio.run(run_in_thread(threading.current_thread))
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_exception_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run_in_thread(lambda: 1 // 0))


def test_result_after_cancellation_is_discarded() -> None:
    finish, discarded = threading.Event(), threading.Event()

    async def cancel() -> None:
        task = asyncio.ensure_future(run_in_thread(lambda: finish.wait(5), lambda _result: discarded.set()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        finish.set()
        for _attempt in range(500):
            if discarded.is_set():
                break
            await asyncio.sleep(0.01)

    asyncio.run(cancel())
    assert discarded.is_set()


def test_result_after_the_loop_is_discarded() -> None:
    finish, discarded = threading.Event(), threading.Event()

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(
                run_in_thread(lambda: finish.wait(5), lambda _result: discarded.set()), 0.01
            )

    asyncio.run(give_up())
    finish.set()
    assert discarded.wait(5)
