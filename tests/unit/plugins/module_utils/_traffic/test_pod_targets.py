# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic to pods through a fake API server: which pods get the connections, and the errors where none can."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    TrafficResult,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

LIST = "GET /api/v1/namespaces/demo/pods"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-served-by: %s\r\n\r\nok"


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as one:
        yield one


@pytest.fixture
def served(api_server: FakeApiServer) -> Iterator[list[bytes]]:
    """Yield the requests that two pods received, which answer with their names."""
    requests: list[bytes] = []
    servers: list[socket.socket] = []

    def serve(connection: socket.socket, name: bytes) -> None:
        with suppress(OSError), connection:
            while data := connection.recv(65_536):
                requests.append(data)
                connection.sendall(ANSWER % name)

    def accept(server: socket.socket, name: bytes) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0], name), daemon=True).start()

    for name in ("web-a", "web-b"):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        api_server.ports[f"{name}:8080"] = server.getsockname()[1]
        threading.Thread(target=accept, args=(server, name.encode()), daemon=True).start()
    api_server.set_pods("demo", pod("web-a"), pod("web-b"), pod("web-c", ready=False))
    yield requests
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def send(api_server: FakeApiServer, **entry: Any) -> TrafficResult:
    """Return the result of traffic to the pods of app=web."""
    given = {"url": "http://shop.example:8080/x", "pod": {"selector": "app=web"}, **entry}
    [traffic] = parse_traffic([given], api_server.options())
    return send_traffic(traffic)


def test_ready_pods_take_turns_after_one_lookup(api_server: FakeApiServer, served: list[bytes]) -> None:
    result = send(api_server, requests=8, connections="new")
    assert result["hosts"] == {"web-a": 4, "web-b": 4}
    assert [one[0] for one in api_server.requests].count(LIST) == 1
    assert b"host: shop.example:8080\r\n" in served[0]


def test_requests_of_the_warm_up_are_not_counted(api_server: FakeApiServer, served: list[bytes]) -> None:
    result = send(api_server, requests=3, warm_up=60)
    assert len(served) == 3
    assert (result["sent"], result["answered"], result["connections"]) == (0, 0, 1)


def test_connections_to_pods_are_kept(api_server: FakeApiServer, served: list[bytes]) -> None:
    result = send(api_server, requests=20, concurrency=2)
    assert (result["answered"], result["connections"]) == (20, 2)
    assert len(api_server.forwards) == 2


def test_deleted_pod_gets_no_further_connection(api_server: FakeApiServer, served: list[bytes]) -> None:
    words = {"kind": "Status", "message": 'pods "web-a" not found'}
    api_server.respond("GET /api/v1/namespaces/demo/pods/web-a/portforward", words, 404)
    result = send(api_server, requests=4, connections="new")
    assert result["answered"] == 4, result["last_error"]
    assert set(result["hosts"]) == {"web-b"}


def test_broken_connection_to_a_pod_is_opened_again(api_server: FakeApiServer, served: list[bytes]) -> None:
    def cut() -> None:
        while not served:
            time.sleep(0.01)
        time.sleep(0.5)  # for the answer to arrive, long before the second request is due
        api_server.forwards[0].shutdown(socket.SHUT_RDWR)

    [traffic] = parse_traffic(
        [{"url": "http://x:8080/", "pod": {"selector": "app=web"}, "requests": 2, "rate": 0.5}],
        api_server.options(),
    )
    threading.Thread(target=cut, daemon=True).start()
    result = send_traffic(traffic)
    assert (result["answered"], result["retries"], result["connections"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("url", "kind", "error"),
    [
        ("http://x:81/", "connect", "port 81 of Pod web-a in namespace demo: nothing listens on that port"),
        ("https://x:81/", "connect", "nothing listens on that port"),
        ("tcp://x:81", "connect", "nothing listens on that port"),
    ],
)
def test_port_without_listener_is_a_connect_error(
    api_server: FakeApiServer, url: str, kind: str, error: str
) -> None:
    api_server.set_pods("demo", pod("web-a"))
    result = send(api_server, url=url, **({"payload": "x"} if "tcp" in url else {}))
    assert result["errors"] == {kind: 1}, result["last_error"]
    assert error in result["last_error"]


def test_each_request_fails_without_a_ready_pod(api_server: FakeApiServer) -> None:
    api_server.set_pods("demo", pod("web-c", ready=False))
    result = send(api_server, requests=3)
    assert result["errors"] == {"connect": 3}
    assert "no pod of app=web in namespace demo is ready (web-c:" in result["last_error"]


def test_unknown_port_name_is_an_error(api_server: FakeApiServer, served: list[bytes]) -> None:
    named = send(api_server, pod={"selector": "app=web", "port": "nope"})
    assert "pod web-a has no port named nope" in named["last_error"]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (
            {"url": "udp://x:1"},
            r"traffic\[0\].pod: a port-forward does not carry udp://",
        ),
        ({"pod": {"port": 1}}, r"traffic\[0\].pod.selector: a value is missing"),
        ({"pod": {"selector": "a=b", "port": 0}}, "port: expected the number or the name"),
        (
            {"pod": {"selector": "a=b", "namespac": "x"}},
            "pod: unknown key .namespac.. Did you mean .namespace.",
        ),
        ({"pod": ["x"]}, "pod: expected a dictionary"),
    ],
)
def test_pod_option_refuses_other_values(entry: dict[str, Any], error: str) -> None:
    with pytest.raises(ArgumentError, match=error):
        parse_traffic([{"url": "http://x/", "pod": {"selector": "a=b"}, **entry}])
