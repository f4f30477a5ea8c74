# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading endpoints in several processes: each is read, whatever happens to the other processes."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.forked_process import (
    ForkedProcess,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes import reader_processes
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes.reader_processes import (
    Store,
    process_count,
    read_in_processes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page

# Python 3.12 and newer warn of a fork in a process with threads, which pytest-xdist has.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

NAMES = [f"e{number}" for number in range(200)]


class Reading:
    """Reads names in processes. Their pages have the process in place of Envoy's format."""

    def __init__(self, in_fork: Callable[[int], None] = lambda _number: None) -> None:
        self.in_fork = in_fork  # called in a fork before each of its pages
        self.process = os.getpid()
        self.pages: list[Page] = []
        self.concurrency: list[int] = []
        self.first_is_from_a_fork = self.fork_stops = self.is_stopped = False

    async def read(self, names: Iterable[str], concurrency: int, store: Store) -> None:
        """Read names; this process begins after the first page of a fork has arrived, or after the end of all forks."""
        if os.getpid() == self.process:
            self.concurrency.append(concurrency)
            await self.may_begin()
        for number, name in enumerate(names):
            if os.getpid() != self.process:
                self.in_fork(number)
            await store(Page(name, f"{os.getpid()} {concurrency}", 0.0))
            await asyncio.sleep(0)

    def store(self, page: Page) -> None:
        """Keep a page."""
        self.pages.append(page)

    async def may_begin(self) -> None:
        """Wait until a fork has returned pages, and until it is stopped if it stops."""
        while self.first_is_from_a_fork and not self.pages:
            await asyncio.sleep(0.01)
        while self.fork_stops and not self.is_stopped:
            fork = int(self.pages[0].format.split()[0])
            self.is_stopped = os.waitpid(fork, os.WNOHANG | os.WUNTRACED) != (0, 0)
            await asyncio.sleep(0.01)

    def run(self, processes: int = 2, concurrency: int = 64, seconds: float = 60.0) -> list[int]:
        """Read all names, and return the processes of the forks that returned pages. None of them exists any more."""

        async def run() -> None:
            await read_in_processes(
                NAMES, self.read, self.store, processes, concurrency, time.monotonic() + seconds
            )

        asyncio.run(run())
        assert sorted(page.name for page in self.pages) == sorted(NAMES)
        forks = {int(page.format.split()[0]) for page in self.pages} - {self.process}
        for fork in forks:
            with pytest.raises(ProcessLookupError):
                os.kill(fork, 0)
        return sorted(forks)


def test_forks_read_a_part_of_the_endpoints() -> None:
    reading = Reading()
    reading.first_is_from_a_fork = True
    assert len(reading.run(2)) == 1
    assert reading.concurrency == [32]
    assert {page.format.split()[1] for page in reading.pages} <= {"32"}


def test_concurrency_is_that_of_all_processes_together() -> None:
    reading = Reading()
    reading.run(3, concurrency=100)
    assert reading.concurrency == [34]


@pytest.mark.parametrize("after", [0, 1, 40])
@pytest.mark.parametrize("end", ["kill", "error"])
def test_pages_of_a_fork_that_ends_are_read_again(end: str, after: int) -> None:
    def in_fork(number: int) -> None:
        if number == after:
            if end == "error":
                raise RuntimeError("no traceback of a fork is printed")
            os.kill(os.getpid(), signal.SIGKILL)

    Reading(in_fork).run(3)


def test_page_of_a_stopped_fork_is_read_after_the_deadline() -> None:
    def in_fork(number: int) -> None:
        if number == 20:
            os.kill(os.getpid(), signal.SIGSTOP)

    reading = Reading(in_fork)
    reading.first_is_from_a_fork = reading.fork_stops = True
    assert len(reading.run(2, seconds=0.2)) == 1
    assert reading.concurrency[-1] == 64


def test_pages_before_a_silent_endpoint_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process returns its pages after its last one, which the deadline ends."""
    monkeypatch.setattr(reader_processes, "_GRACE", 60.0)
    until = time.monotonic() + 0.3
    output, begun = os.pipe()

    def in_fork(number: int) -> None:
        if number == 0:
            os.write(begun, b"x")
        if number == 3:
            time.sleep(max(0.0, until - time.monotonic()))

    async def fork_has_begun() -> None:
        while not select.select([output], [], [], 0)[0]:
            await asyncio.sleep(0.01)

    reading = Reading(in_fork)
    monkeypatch.setattr(reading, "may_begin", fork_has_begun)
    assert len(reading.run(2, seconds=0.2)) == 1
    assert len(reading.concurrency) == 1, "this process read an endpoint again"
    os.close(output)
    os.close(begun)


def test_this_process_reads_all_if_it_cannot_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    reading = Reading()
    assert reading.run(4) == []
    assert reading.concurrency == [64]


def test_error_of_store_ends_the_forks() -> None:
    async def run(fail_for: Callable[[Page], bool]) -> None:
        def store(page: Page) -> None:
            reading.store(page)
            if fail_for(page):
                raise ValueError("disk full")

        await read_in_processes(NAMES, reading.read, store, 2, 64, time.monotonic() + 60)

    own = str(os.getpid())
    for from_fork in (True, False):
        reading = Reading()
        reading.first_is_from_a_fork = from_fork
        with pytest.raises(ValueError, match="disk full"):
            asyncio.run(run(lambda page, wanted=from_fork: (page.format.split()[0] != own) is wanted))
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def test_cancelled_reading_ends_the_forks() -> None:
    async def endless(_names: Iterable[str], _concurrency: int, _store: Store) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        reading: Awaitable[None] = read_in_processes(
            NAMES, endless, lambda _page: None, 2, 64, time.monotonic() + 60
        )
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reading, 0.05)

    asyncio.run(run())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_one_process_reads_without_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForkedProcess, "__init__", None)
    assert Reading().run(1) == []


@pytest.mark.parametrize("count", [0, 1, 15_999, 16_000, 16_001, 40_000])
def test_queue_has_each_name_once(count: int) -> None:
    names = [str(number) for number in range(count)]
    queue = reader_processes._Queue(names)
    try:
        assert list(queue) == names
    finally:
        queue.close()


ENDPOINTS = parse_endpoints([{"name": f"e{number}", "url": f"http://e{number}"} for number in range(1_000)])


@pytest.mark.parametrize(
    ("endpoints", "concurrency", "processors", "forks", "count"),
    [
        (1_000, 64, 2, True, 2),
        (1_000, 64, 64, True, 4),
        (1_000, 64, 1, True, 1),
        (1_000, 64, 2, False, 1),
        (1_000, 16, 8, True, 2),
        (1_000, 4, 8, True, 1),
        (199, 64, 2, True, 1),
        (200, 64, 2, True, 2),
        (0, 64, 2, True, 1),
    ],
)
def test_number_of_processes_suits_work_and_machine(
    monkeypatch: pytest.MonkeyPatch,
    endpoints: int,
    concurrency: int,
    processors: int,
    forks: bool,
    count: int,
) -> None:
    monkeypatch.setattr(reader_processes, "processors", lambda: processors)
    monkeypatch.setattr(reader_processes, "can_fork", lambda: forks)
    assert process_count(ENDPOINTS[:endpoints], concurrency) == count


def test_containers_and_pods_are_read_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_processes, "processors", lambda: 2)
    monkeypatch.setattr(reader_processes, "can_fork", lambda: True)
    assert process_count([*ENDPOINTS, replace(ENDPOINTS[0], container="c")], 64) == 1
