# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unix sockets by short, long and abstract addresses."""

from __future__ import annotations

import contextlib
import doctest
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import unix_socket
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import (
    MAX_PATH_BYTES,
    connect_unix,
    socket_address,
)


@contextlib.contextmanager
def listener(path: str, backlog: int = 1) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        with socket_address(path) as address:
            listening.bind(address)
        listening.listen(backlog)
        yield listening


@pytest.mark.parametrize("length", [MAX_PATH_BYTES - 1, MAX_PATH_BYTES, MAX_PATH_BYTES + 1, 1_000])
def test_paths_around_the_limit_connect(tmp_path: Path, length: int) -> None:
    path = str(tmp_path)
    while len(path) < length - 100:
        path += "/" + "d" * 50
    os.makedirs(path, exist_ok=True)
    path += "/" + "s" * (length - len(path) - 1)
    assert len(path) == length
    with listener(path), connect_unix(path, timeout=5) as connection:
        assert connection.gettimeout() == 5
    assert os.path.exists(path)


def test_the_limit_is_the_kernels(tmp_path: Path) -> None:
    longest = str(tmp_path / "s").ljust(MAX_PATH_BYTES, "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(longest)
    with socket.socket(socket.AF_UNIX) as listening, pytest.raises(OSError, match="too long"):
        listening.bind(f"{longest}s")


def test_an_abstract_socket_connects() -> None:
    name = f"@meshlab-{os.getpid()}"
    with listener(name), connect_unix(name, timeout=5):
        pass


def test_a_long_path_leaves_no_descriptor_open(tmp_path: Path) -> None:
    path = str(tmp_path / ("d" * 100) / "s")
    os.mkdir(os.path.dirname(path))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        connect_unix(path, timeout=5)
    assert os.listdir("/proc/self/fd") == before


def test_a_full_queue_times_out(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listener(path, backlog=0), connect_unix(path, timeout=5), pytest.raises(TimeoutError):
        connect_unix(path, timeout=0.05)


def test_a_full_queue_that_empties_connects(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listener(path, backlog=0) as listening, connect_unix(path, timeout=5):

        def accept_one() -> None:
            listening.accept()[0].close()

        accept = threading.Timer(0.05, accept_one)
        accept.start()
        connect_unix(path, timeout=20).close()
        accept.join()


def test_examples() -> None:
    assert doctest.testmod(unix_socket).failed == 0
