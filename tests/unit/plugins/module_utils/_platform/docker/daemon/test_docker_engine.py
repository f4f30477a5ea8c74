# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's API over the Unix socket of the daemon."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon import docker_engine
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.docker_engine import (
    DockerEngine,
    EngineUnavailable,
)

Responses = dict[str, tuple[int, Any]]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[[Responses], DockerEngine]]:
    """Return a function that starts a daemon with responses by path, and returns its client."""
    servers: list[_Server] = []

    def start(responses: Responses) -> DockerEngine:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, data = responses.get(self.path, (404, {"message": "No such container: x"}))
                body = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Log nothing."""

            def address_string(self) -> str:
                return "unix"

        path = str(tmp_path / "docker.sock")
        servers.append(_Server(path, Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return DockerEngine(path)

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


def test_containers_that_do_not_exist_are_left_out(engine: Callable[[Responses], DockerEngine]) -> None:
    client = engine({"/containers/demo-a-1/json": (200, {"Id": "a"})})
    assert client.inspect(["demo-b-1", "demo-a-1"], 5) == [{"Id": "a"}]


def test_list_includes_stopped_containers(engine: Callable[[Responses], DockerEngine]) -> None:
    client = engine({"/containers/json?all=1": (200, [{"Id": "a"}])})
    assert client.containers(5) == [{"Id": "a"}]


def test_image_is_found_by_its_name(engine: Callable[[Responses], DockerEngine]) -> None:
    present = {"/images/localhost%3A5000/envoyproxy/envoy%3Av1/json": (200, {"Id": "i"})}
    client = engine({**present, "/images/other/json": (404, {"message": "No such image: other"})})
    assert client.has_image("localhost:5000/envoyproxy/envoy:v1", 5)
    assert not client.has_image("other", 5)


@pytest.mark.parametrize(
    "response",
    [
        (500, {"message": "server error"}),
        (404, {"message": "page not found"}),
        (200, b"no JSON"),
        (200, {"a": 1}),
    ],
)
def test_unexpected_response_is_left_to_the_command(
    engine: Callable[[Responses], DockerEngine], response: tuple[int, Any]
) -> None:
    with pytest.raises(EngineUnavailable):
        engine({"/containers/json?all=1": response}).containers(5)


def test_missing_daemon_is_left_to_the_command(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="none"):
        DockerEngine(str(tmp_path / "none")).containers(5)


@pytest.fixture
def has_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine.shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("has_command")
@pytest.mark.parametrize(
    ("variables", "config", "path"),
    [
        ({}, None, "/var/run/docker.sock"),
        ({}, {"currentContext": "default"}, "/var/run/docker.sock"),
        ({}, {"currentContext": "remote"}, None),
        ({"DOCKER_CONTEXT": "default"}, {"currentContext": "remote"}, "/var/run/docker.sock"),
        ({"DOCKER_CONTEXT": "remote"}, None, None),
        ({"DOCKER_HOST": "unix:///run/user/1/d.sock"}, {"currentContext": "remote"}, "/run/user/1/d.sock"),
        ({"DOCKER_HOST": "unix://d.sock"}, None, None),
        ({"DOCKER_HOST": "tcp://192.0.2.1:2376"}, None, None),
        ({"DOCKER_HOST": "ssh://web"}, None, None),
        ({"DOCKER_API_VERSION": "1.40"}, None, None),
        ({"DOCKER_TLS_VERIFY": "1"}, None, None),
    ],
)
def test_socket_is_the_one_of_the_docker_command(
    tmp_path: Path, variables: dict[str, str], config: dict[str, str] | None, path: str | None
) -> None:
    (tmp_path / ".docker").mkdir()
    if config:
        (tmp_path / ".docker" / "config.json").write_text(json.dumps(config))
    found = DockerEngine.of_environment({"HOME": str(tmp_path), **variables})
    assert (found.path if found else None) == path


@pytest.mark.usefixtures("has_command")
def test_unreadable_settings_are_left_to_the_command(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert DockerEngine.of_environment({"DOCKER_CONFIG": str(tmp_path)}) is None


def test_host_without_docker_has_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine.shutil, "which", lambda _name: None)
    assert DockerEngine.of_environment({}) is None
