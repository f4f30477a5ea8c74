# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test programs on the host itself, and ports below 1024, on each platform."""

from __future__ import annotations

import fcntl
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cases import LOCKS, CaseDeployment, PortBlock, case_data

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Deploy = Callable[[str], CaseDeployment]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


@contextmanager
def program_on_the_host(port: int) -> Iterator[None]:
    """Answer each GET at a port of all addresses of this host with 200, until the end of the block."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_program_on_the_host_is_reached_by_dockers_name(
    block: PortBlock, deployment: Deploy, platform: str
) -> None:
    made = deployment(platform)
    with program_on_the_host(block.first + 90):
        assert made.failures(made.deploy(case_data("32-host-from-container/a.yml", block))) == []


def test_loopback_of_a_container_is_refused(block: PortBlock, deployment: Deploy) -> None:
    data = case_data("32-host-from-container/b.yml", block)
    with pytest.raises(DemoError, match=r"Use 'host.docker.internal' for a program on the host\."):
        deployment("docker").plan(data)


def test_network_of_the_host_is_refused(block: PortBlock, deployment: Deploy) -> None:
    data = case_data("32-host-from-container/a.yml", block)
    with pytest.raises(DemoError, match="network: containers of Docker's network 'host' have no names"):
        deployment("docker").plan(data, network="host")


@pytest.fixture
def low_port() -> Iterator[int]:
    """Return a free port below 1024, reserved by a file lock."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    for port in range(901, 1000):
        with (LOCKS / str(port)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                socket.create_server(("127.0.0.1", port)).close()
            except BlockingIOError:
                continue
            except PermissionError:
                pass  # this user cannot bind it, the daemon can
            except OSError:
                continue
            yield port
            return


def with_port(data: Any, port: int) -> Any:
    """Return the demo with `port` in place of port 80, which other programs of the host can use."""
    data["proxies"]["edge"]["listeners"]["http"]["publish"] = port
    return data


@pytest.mark.parametrize(
    "platform",
    [
        "docker",
        pytest.param("kubernetes", marks=pytest.mark.slow),
        pytest.param("openshift", marks=pytest.mark.slow),
    ],
)
def test_platform_publishes_a_port_below_1024(
    block: PortBlock, deployment: Deploy, low_port: int, platform: str
) -> None:
    made = deployment(platform)
    data = with_port(case_data("01-port-80/port80.yml", block), low_port)
    # The listener itself has a port below 1024, too.
    data["proxies"]["edge"]["listeners"]["http"]["port"] = 80
    planned = made.deploy(data)
    assert made.failures(planned) == []


def test_local_binds_a_port_below_1024_if_the_user_may(
    block: PortBlock, deployment: Deploy, low_port: int
) -> None:
    local = deployment("local")
    planned = local.plan(with_port(case_data("01-port-80/port80.yml", block), low_port))
    try:
        socket.create_server(("127.0.0.1", low_port)).close()
    except PermissionError:
        result = local.result(planned)
        assert result["failed"]
        assert f"port {low_port} of edge: this user cannot bind ports below" in result["msg"]
    else:
        assert not local.result(planned)["failed"]
        assert local.failures(planned) == []
