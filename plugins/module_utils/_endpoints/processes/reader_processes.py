# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read many endpoints in several processes, since one Python process uses one processor.

Each process takes the next endpoint from one queue, so a process that is slow or stopped takes fewer. What a process takes and does not
return, for example because it is killed, this process reads itself.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.forked_process import (
    ForkedProcess,
    Send,
    can_fork,
    processors,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes.page_messages import (
    PageDecoder,
    PageEncoder,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page

# Fewer endpoints for each process take less time than a fork saves.
_LEAST_ENDPOINTS = 100
_LEAST_CONCURRENCY = 8
# The process that evaluates receives the pages of all others, which limits how many are useful.
_MOST_PROCESSES = 4
# A pipe has room for 65,536 bytes or more: this many numbers of 4 bytes.
_MOST_NUMBERS = 16_000
_PAGES_PER_MESSAGE = 16
_VALUES_PER_MESSAGE = 4_000
_NUMBER = struct.Struct("=I")
# Seconds after the deadline in which a process returns what it read, with the failure of an endpoint that did not answer in time.
_GRACE = 0.5

Store = Callable[[Page], Awaitable[None]]
Read = Callable[[Iterable[str], int, Store], Awaitable[None]]


def process_count(endpoints: Sequence[Endpoint], concurrency: int) -> int:
    """Return how many processes should read these endpoints.

    Connections to pods and containers have threads and commands, which a fork does not have.
    """
    count = min(
        _MOST_PROCESSES, processors(), len(endpoints) // _LEAST_ENDPOINTS, concurrency // _LEAST_CONCURRENCY
    )
    local = any(endpoint.pods is not None or endpoint.container for endpoint in endpoints)
    return count if count > 1 and not local and can_fork() else 1


async def read_in_processes(
    names: Sequence[str],
    read: Read,
    store: Callable[[Page], None],
    count: int,
    concurrency: int,
    deadline: float,
) -> None:
    """Read endpoints in several processes; return when each is read or the deadline is over.

    Args:
        names: The endpoints.
        read: Reads endpoints by name, a number of them at the same time, and awaits its last argument for each page.
        store: Called with each page in this process.
        count: How many processes read, this one included.
        concurrency: How many endpoints all processes read at the same time.
        deadline: On the clock of `time.monotonic`.
    """
    left = dict.fromkeys(names)

    def take(page: Page) -> None:
        if page.name in left:
            del left[page.name]
            store(page)

    async def take_own(page: Page) -> None:
        take(page)

    share = concurrency // count
    queue = _Queue(names)
    forks: list[ForkedProcess] = []
    try:
        for _number in range(count - 1):
            try:
                forks.append(_fork(queue, read, take, share, list(forks)))
            except OSError:  # a limit on processes or memory: this process reads more
                break
        await read(queue, concurrency - share * len(forks), take_own)
        if forks:
            left_seconds = max(0.0, deadline - time.monotonic())
            await asyncio.wait([fork.ended for fork in forks], timeout=left_seconds + _GRACE)
        for fork in forks:
            if fork.ended.done():
                fork.ended.result()
    finally:
        queue.close()
        for fork in forks:
            fork.close()
    if left:
        await read([*left], concurrency, take_own)


def _fork(
    queue: _Queue, read: Read, take: Callable[[Page], None], concurrency: int, others: Sequence[ForkedProcess]
) -> ForkedProcess:
    decoder = PageDecoder()

    async def work(send: Send) -> None:
        for other in others:
            other.forget()
        sender = _PageSender(send)
        await read(queue, concurrency, sender.add)
        await sender.flush()

    def receive(message: bytes) -> None:
        for page in decoder.decode(message):
            take(page)

    return ForkedProcess(work, receive)


class _PageSender:
    """Sends several pages in one message."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._encoder = PageEncoder()
        self._pages: list[Page] = []
        self._values = 0

    async def add(self, page: Page) -> None:
        self._pages.append(page)
        self._values += sum(len(samples.values) for samples in page.sources.values())
        if len(self._pages) >= _PAGES_PER_MESSAGE or self._values >= _VALUES_PER_MESSAGE:
            await self.flush()

    async def flush(self) -> None:
        pages, self._pages, self._values = self._pages, [], 0
        if pages:
            await self._send(self._encoder.encode(pages))


class _Queue:
    """Names, each of which one process takes. The kernel gives each number in a pipe to one reader."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._each = max(1, -(-len(names) // _MOST_NUMBERS))  # names for each number
        self._taken: list[str] = []
        self._output, target = os.pipe()
        os.set_blocking(target, False)
        with open(target, "wb", buffering=0) as pipe:
            pipe.write(b"".join(_NUMBER.pack(number) for number in range(-(-len(names) // self._each))))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._taken:
            data = os.read(self._output, _NUMBER.size)
            if not data:
                raise StopIteration
            begin = _NUMBER.unpack(data)[0] * self._each
            self._taken = list(reversed(self._names[begin : begin + self._each]))
        return self._taken.pop()

    def close(self) -> None:
        os.close(self._output)
