# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an Envoy runs, by what its admin's socket does: answers, refuses, is not there, or stands still."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

LIVE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nLIVE\n"


@contextmanager
def admin(path: Path, after: float) -> Iterator[AdminClient]:
    """An admin that answers one question `after` seconds."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()

    def answer() -> None:
        connection, _address = listening.accept()
        with connection, contextlib.suppress(BrokenPipeError):
            time.sleep(after)
            connection.recv(4096)
            connection.sendall(LIVE)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listening:
        yield AdminClient(f"unix://{path}")
        thread.join()


def test_an_envoy_that_stands_still_for_a_while_runs(tmp_path: Path) -> None:
    with admin(tmp_path / "admin.sock", after=3) as client:
        assert client.is_running()


def test_whether_one_runs_that_does_not_answer_is_not_known(tmp_path: Path) -> None:
    with admin(tmp_path / "admin.sock", after=0.3) as client, pytest.raises(ConfigRefused) as refused:
        client.is_running(timeout=0.1)
    assert str(refused.value) == (
        f"Whether an Envoy runs is not known after 0.1 s (unix://{tmp_path}/admin.sock: timed out): see why it"
        " does not answer, or end it. Nothing was changed."
    )


def test_a_queue_that_is_full_is_no_refusal(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listening.bind(str(path))
        listening.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                waiting.setblocking(False)
                waiting.connect(str(path))
        with pytest.raises(ConfigRefused, match="Whether an Envoy runs is not known"):
            AdminClient(f"unix://{path}").is_running(timeout=0.1)


def test_none_runs_where_nobody_listens(tmp_path: Path) -> None:
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ended:
        ended.bind(str(left))
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    for url in (f"unix://{tmp_path}/none.sock", f"unix://{left}", f"http://127.0.0.1:{port}"):
        assert not AdminClient(url).is_running()
