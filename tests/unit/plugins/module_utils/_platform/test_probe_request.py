# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of a readiness probe, to a server of this process."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unix_server import UnixServer

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.probe_request import problem
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe


class StatusHandler(http.server.BaseHTTPRequestHandler):
    """Answers the path `/200` with status 200, and so on."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), StatusHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(("status", "is_ready"), [(200, True), (399, True), (400, False), (503, False)])
def test_http_probe_accepts_a_status_below_400(port: int, status: int, is_ready: bool) -> None:
    text = problem(Probe("http", port, f"/{status}"), 5)
    assert text == ("" if is_ready else f"http://127.0.0.1:{port}/{status} returns {status}")


def test_tcp_probe_accepts_a_connection(port: int) -> None:
    assert problem(Probe("tcp", port), 5) == ""


def test_probe_without_kind_succeeds() -> None:
    assert problem(Probe("none"), 5) == ""


@pytest.mark.parametrize(("kind", "path"), [("http", "/ready"), ("tcp", "")])
def test_refused_connection_is_the_problem(kind: str, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    text = problem(Probe(kind, port, path or "/"), 5)  # type: ignore[arg-type]
    assert text == f"{kind}://127.0.0.1:{port}{path}: connection refused"


def test_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert problem(Probe("http", port), 0.05) == f"http://127.0.0.1:{port}/: timed out"


def test_answer_that_is_not_http_is_the_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _address = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        text = problem(Probe("http", port), 5)
        thread.join()
    assert text == f"http://127.0.0.1:{port}/: 220 mail ready"


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_unix_socket_is_probed(tmp_path: Path, kind: Any) -> None:
    probe = Probe(kind, unix_socket="web/app.sock")
    (tmp_path / "web").mkdir()
    assert problem(probe, 5, tmp_path) == f"{tmp_path}/web/app.sock: no such file or directory"
    with UnixServer(tmp_path / "web" / "app.sock"):
        assert problem(probe, 5, tmp_path) == ""


def test_error_status_over_a_unix_socket_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with UnixServer(path):
        probe = Probe("http", path="/missing", unix_socket="app.sock")
        assert problem(probe, 5, tmp_path) == f"{path}: /missing returns 404"
