# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The thread pool: order, concurrency and exceptions."""

from __future__ import annotations

import doctest
import threading

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import thread_pool
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import (
    map_to_dict,
    map_to_pairs,
)


def test_documented_examples_are_right() -> None:
    assert doctest.testmod(thread_pool).failed == 0


def test_no_items_have_no_results() -> None:
    assert map_to_pairs(len, []) == []
    assert map_to_dict(len, []) == {}


def test_calls_run_at_once() -> None:
    together = threading.Barrier(4, timeout=5)
    assert [number for number, _result in map_to_pairs(lambda _number: together.wait(), range(4))] == [
        0,
        1,
        2,
        3,
    ]


def test_threads_limit_the_calls_at_once() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def count(_number: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1

    map_to_pairs(count, range(50), threads=2)
    assert most[0] <= 2


def test_exception_is_raised_after_running_calls() -> None:
    together, ended = threading.Barrier(2, timeout=5), []

    def fail_or_end(number: int) -> None:
        together.wait()
        if number == 0:
            raise ValueError(number)
        ended.append(number)

    with pytest.raises(ValueError, match=r"^0$"):
        map_to_pairs(fail_or_end, range(2))
    assert ended == [1]
