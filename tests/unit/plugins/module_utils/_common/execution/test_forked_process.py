# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forks of this process: their messages, and their end in each case."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from collection_hooks import collections_folder

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.forked_process import (
    ForkedProcess,
    Send,
    processors,
)


def result_of(
    work: Callable[[Send], Awaitable[None]], receive: Callable[[bytes], None] | None = None
) -> tuple[bool, list[bytes], int]:
    """Return whether a fork did its work, its messages, and its process ID. The fork does not exist any more."""
    messages: list[bytes] = []

    async def run() -> tuple[bool, int]:
        fork = ForkedProcess(work, receive or messages.append)
        try:
            return await asyncio.wait_for(fork.ended, 60), fork.pid
        finally:
            fork.close()
            fork.close()
            with pytest.raises(ChildProcessError):
                os.waitpid(fork.pid, os.WNOHANG)

    done, pid = asyncio.run(run())
    return done, messages, pid


def test_messages_arrive_in_order() -> None:
    sizes = [1, 70_000, 3, 1_000_000, 2]

    async def work(send: Send) -> None:
        await send(str(os.getpid()).encode())
        for size in sizes:
            await send(b"x" * size)

    done, messages, pid = result_of(work)
    assert done
    assert messages[0] == str(pid).encode()
    assert pid != os.getpid()
    assert [len(message) for message in messages[1:]] == sizes


def test_simultaneous_messages_stay_whole() -> None:
    async def work(send: Send) -> None:
        await asyncio.gather(*[send(bytes([number]) * 100_000) for number in range(20)])

    _done, messages, _pid = result_of(work)
    assert sorted(messages) == [bytes([number]) * 100_000 for number in range(20)]


@pytest.mark.parametrize("end", ["error", "exit", "kill"])
def test_end_before_the_work_is_done_is_false(end: str) -> None:
    async def work(send: Send) -> None:
        await send(b"first")
        if end == "error":
            raise RuntimeError("no traceback of a fork is printed")
        if end == "exit":
            sys.exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    done, messages, _pid = result_of(work)
    assert not done
    assert messages == [b"first"]


def test_error_of_the_receiver_is_raised() -> None:
    async def work(send: Send) -> None:
        await send(b"x")

    def receive(_message: bytes) -> None:
        raise ValueError("disk full")

    with pytest.raises(ValueError, match="disk full"):
        result_of(work, receive)


def test_close_ends_a_stopped_fork() -> None:
    async def work(_send: Send) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    async def run() -> int:
        fork = ForkedProcess(work, lambda _message: None)
        fork.close()
        assert fork.ended.result() is False
        return fork.pid

    with pytest.raises(ProcessLookupError):
        os.kill(asyncio.run(run()), 0)


PARENT = """
import asyncio, signal
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.forked_process import ForkedProcess

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background processes ignore it

async def work(send):
    await send(b"running")
    await asyncio.Event().wait()

async def run():
    started = asyncio.Event()
    forks = [ForkedProcess(work, lambda message: started.set()) for _number in range(2)]
    await started.wait()
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(run())
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_forks_end_with_a_killed_process(sent: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(collections_folder())}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as parent:
        assert parent.stdout is not None
        try:
            assert parent.stdout.readline() == b"started\n"
            parent.send_signal(sent)
            # The forks have the same standard output: it ends when all of them have ended.
            assert parent.communicate(timeout=60)[0] == b""
        finally:
            parent.kill()


def test_processors_are_those_of_this_process() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)
