# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admin interfaces inside containers: with each program of an image, without processes that stay, and with messages for failures."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Limits,
    Outcome,
    parse_assertions,
    parse_endpoints,
    wait_for,
)

IMAGE = "envoyproxy/envoy:v1.40.0"
ADMIN = {
    "node": {"id": "a", "cluster": "b"},
    "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9901}}},
}


NC = """
import socket, sys, threading, os
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := connection.recv(65536):
    os.write(1, data)
"""


def read(container: str, url: str | None = None, timeout: float = 10.0) -> Outcome:
    endpoints = parse_endpoints([{"name": "inside", "container": container, "url": url}])
    assertions = parse_assertions(
        [{"stat": "server.live", "op": "eq", "value": 1}, {"stat": "server.live", "op": "le", "value": 1}]
    )
    return wait_for(endpoints, assertions, wait=False, limits=Limits(request_timeout=timeout), identity=False)


@pytest.fixture
def url() -> Iterator[str]:
    """Start an admin interface that keeps its connections open, and return its URL."""
    body = b'{"stats":[{"name":"server.live","value":1}]}'

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def fake_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, *tools: str, script: str = "") -> None:
    """Put a docker command in PATH whose containers have only these programs."""
    image = folder / "image"
    image.mkdir()
    for tool in ("sh", *tools):
        if tool == "nc":  # the test host may have none
            (image / tool).write_text(f"#!{sys.executable}\n{NC}")
            (image / tool).chmod(0o755)
            continue
        found = sys.executable if tool == "python3" else shutil.which(tool)
        (image / tool).symlink_to(os.path.realpath(found or tool))
    docker = folder / "docker"
    docker.write_text(script or f'#!/bin/sh\nshift 3\nexec /usr/bin/env -i PATH={image} "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.parametrize("tools", [("bash", "cat"), ("python3",), ("nc",)], ids=lambda tools: tools[0])
def test_each_program_of_an_image_connects(
    url: str, tools: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_docker(tmp_path, monkeypatch, *tools)
    outcome = read("any", url)
    assert outcome.ok, outcome.message


@pytest.mark.parametrize("tools", [("bash", "cat"), ("python3",)], ids=lambda tools: tools[0])
def test_port_without_listener_is_unreachable(
    tools: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_docker(tmp_path, monkeypatch, *tools)
    outcome = read("any", "http://127.0.0.1:1")
    assert outcome.failure == "unreachable"
    assert "inside container any the connection is refused" in outcome.message


def test_image_without_programs_is_unreachable(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_docker(tmp_path, monkeypatch)
    outcome = read("bare", url)
    assert outcome.failure == "unreachable"
    assert "container bare has no program that opens connections (bash, python3, nc)" in outcome.message
    assert "Unix socket" in outcome.message


def test_image_without_a_shell_is_unreachable(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'OCI runtime exec failed: exec: "sh": executable file not found in $PATH: unknown'
    fake_docker(tmp_path, monkeypatch, script=f"#!/bin/sh\necho '{text}' >&2\nexit 126\n")
    assert "container bare has no shell" in read("bare", url).message


def test_docker_command_that_hangs_times_out(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_docker(tmp_path, monkeypatch, script="#!/bin/sh\nexec sleep 120\n")
    began = time.monotonic()
    outcome = read("any", url, timeout=0.5)
    assert outcome.failure == "timeout"
    assert time.monotonic() - began < 60


def test_missing_docker_command_is_reported(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "the docker command is not installed" in read("any", url).message


@pytest.fixture
def container() -> Iterator[str]:
    """Run a real Envoy in a container without a network, and return the name of the container."""
    if (
        subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode
        != 0
    ):
        pytest.skip(f"no Docker daemon, or it has no image {IMAGE}")
    name = f"envoy-stats-{uuid.uuid4().hex[:8]}"
    command = [
        "docker",
        "run",
        "--detach",
        "--rm",
        "--network",
        "none",
        "--name",
        name,
        IMAGE,
        "envoy",
        "--concurrency",
        "1",
    ]
    subprocess.run([*command, "--config-yaml", json.dumps(ADMIN)], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)


def test_envoy_in_a_container_is_read(container: str) -> None:
    endpoints = parse_endpoints([{"container": container}])
    assertions = parse_assertions(
        [
            {"stat": "server.live", "op": "eq", "value": 1},
            {"source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
        ]
    )
    outcome = wait_for(endpoints, assertions, wait=True, timeout=30)
    assert outcome.ok, outcome.message
    top = ["docker", "top", container]
    until = time.monotonic() + 5
    while (
        len(left := subprocess.run(top, check=True, capture_output=True, text=True).stdout.splitlines()) > 2
    ):
        assert time.monotonic() < until, left  # only Envoy's process remains
        time.sleep(0.1)


def test_missing_container_is_reported(container: str) -> None:
    assert f"there is no container named not-{container}" in read(f"not-{container}").message
