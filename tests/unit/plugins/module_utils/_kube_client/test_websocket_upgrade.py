# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket to an API server: handshake, timeout and proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from fake_api_server import FakeApiServer, fake_api_server

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as server:
        yield server


def test_wrong_accept_key_is_refused(api_server: FakeApiServer) -> None:
    api_server.accept_key = "c3VyZWx5IG5vdCB0aGlzIG9uZQ=="
    with connect(api_server.options()) as cluster, pytest.raises(ClusterError) as error:
        cluster.forward("web", 80)
    assert error.value.reason == "server"
    assert "expected sec-websocket-accept " in error.value.message
    assert "got c3VyZWx5IG5vdCB0aGlzIG9uZQ==. Check the proxies in front of it." in error.value.message


def test_silent_server_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"http://127.0.0.1:{server.getsockname()[1]}"
        with connect({"host": host, "api_key": "x"}) as cluster, pytest.raises(ClusterError) as error:
            cluster.forward("a", 1, timeout=0.2)
    assert error.value.reason == "timeout"
    assert "no response from the API server within 0.2 s" in error.value.message


def one_response(data: bytes) -> tuple[socket.socket, str]:
    """Start a server that sends `data` to each connection; return it with its address."""
    server = socket.create_server(("127.0.0.1", 0))

    def respond() -> None:
        with suppress(OSError):  # at the end of the test
            while True:
                with server.accept()[0] as connection:
                    connection.recv(65_536)
                    connection.sendall(data)

    threading.Thread(target=respond, daemon=True).start()
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_response_that_is_not_http_is_an_error() -> None:
    server, address = one_response(b"SSH-2.0-OpenSSH\r\n\r\n")
    options = {"host": f"http://{address}", "api_key": "x"}
    with server, connect(options) as cluster, pytest.raises(ClusterError) as error:
        cluster.forward("a", 1)
    assert "is not an API server" in error.value.message
    assert error.value.reason == "server"


def test_connection_closed_before_the_response_is_broken() -> None:
    server, address = one_response(b"")
    options = {"host": f"http://{address}", "api_key": "x"}
    with server, connect(options) as cluster, pytest.raises(ClusterError) as error:
        cluster.forward("a", 1)
    assert "closed the connection before its response" in error.value.message
    assert error.value.reason == "broken"


def test_reset_connection_is_opened_again(api_server: FakeApiServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as program:
        api_server.ports["web:80"] = program.getsockname()[1]
        api_server.close_before_response = 2
        with connect(api_server.options()) as cluster, cluster.forward("web", 80) as connection:
            connection.sendall(b"hello")
            with program.accept()[0] as accepted:
                assert accepted.recv(5) == b"hello"


def test_proxy_that_refuses_is_named(api_server: FakeApiServer) -> None:
    server, address = one_response(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    options = api_server.options(proxy=f"http://{address}")
    expected = r"the proxy 127\.0\.0\.1 does not connect to .*status 407"
    with server, connect(options) as cluster, pytest.raises(ClusterError, match=expected):
        cluster.forward("a", 1)


def test_proxy_with_another_scheme_is_refused(api_server: FakeApiServer) -> None:
    with connect(api_server.options(proxy="http://proxy.example")) as cluster:
        cluster._settings.proxy = "socks5://proxy.example"
        with pytest.raises(ClusterError, match="supports only an http:// proxy"):
            cluster.forward("a", 1)
