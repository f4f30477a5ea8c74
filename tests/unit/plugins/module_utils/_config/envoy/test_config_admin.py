# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test whether an Envoy runs, by its admin socket: it responds, refuses, does not exist, or does not respond."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminUnreachable,
    ConfigAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

LIVE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nLIVE\n"


@contextmanager
def admin(path: Path, after: float) -> Iterator[ConfigAdmin]:
    """Serve one request after a number of seconds."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()

    def respond() -> None:
        connection, _address = listening.accept()
        with connection, contextlib.suppress(BrokenPipeError):
            time.sleep(after)
            connection.recv(4096)
            connection.sendall(LIVE)

    thread = threading.Thread(target=respond, daemon=True)
    thread.start()
    with listening:
        yield ConfigAdmin(f"unix://{path}")
        thread.join()


def test_slow_envoy_is_running(tmp_path: Path) -> None:
    with admin(tmp_path / "admin.sock", after=3) as client:
        assert client.is_running()


def test_unresponsive_envoy_is_refused(tmp_path: Path) -> None:
    with admin(tmp_path / "admin.sock", after=0.3) as client, pytest.raises(ConfigRefused) as refused:
        client.is_running(timeout=0.1)
    assert str(refused.value) == (
        f"unix://{tmp_path}/admin.sock: no complete response within 0.1 s. It is not known after 0.1 s whether an Envoy"
        " runs there. See its log for why it does not respond, or stop it. Nothing was changed."
    )


def test_full_queue_of_connections_is_not_a_refusal(tmp_path: Path) -> None:
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
        with pytest.raises(ConfigRefused, match=r"It is not known after 0.1 s whether an Envoy runs"):
            ConfigAdmin(f"unix://{path}").is_running(timeout=0.1)


def test_no_envoy_is_running_without_a_listener(tmp_path: Path) -> None:
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ended:
        ended.bind(str(left))
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    for url in (f"unix://{tmp_path}/none.sock", f"unix://{left}", f"http://127.0.0.1:{port}"):
        assert not ConfigAdmin(url).is_running()


@pytest.mark.parametrize("url", ["ftp://x", "unix://"])
def test_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigRefused, match=r"Use http://host:port or unix:///path\."):
        ConfigAdmin(url).get("/ready", timeout=1)


class FixedAdmin(ConfigAdmin):
    """Returns one body for all pages."""

    def __init__(self, body: str) -> None:
        super().__init__("http://fixed")
        self.body = body

    def get(self, path: str, timeout: float) -> str:
        return self.body


def test_counters_are_the_integers_of_the_stats() -> None:
    admin = FixedAdmin('cluster.web.upstream_rq_total: 5\nlistener_manager.lds.version_text: "v1"\n')
    assert admin.stats("x", 1)["listener_manager.lds.version_text"] == '"v1"'
    assert admin.counters("x", 1) == {"cluster.web.upstream_rq_total": 5}


def test_body_that_is_not_json_is_an_error() -> None:
    with pytest.raises(AdminUnreachable, match=r"^http://fixed: /clusters is not JSON$"):
        FixedAdmin("<html>").json("/clusters", 1)
