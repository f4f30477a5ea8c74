# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test listeners and applications on Unix sockets: the keys that they exclude, and their names."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, SHOP, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

HTTP = f"{EDGE}.listeners.http"
PIPE = {"address": {"socket_address": None, "pipe": {"path": "edge/run/http.sock"}}}


@pytest.mark.parametrize(
    ("listener", "socket"),
    [
        ({"unix_socket": "http.sock"}, "http.sock"),
        ({"listener": PIPE}, "edge/run/http.sock"),
        ({"listener": PIPE, "port": 8080}, "edge/run/http.sock"),
        ({"listener": {"address": {"pipe": {"path": "@http"}}}}, "@http"),
        ({"port": 8080}, ""),
    ],
)
def test_listener_needs_a_port_or_a_unix_socket(listener: dict[str, Any], socket: str) -> None:
    demo = read_demo("shop", changed(HTTP, {**listener, "routes": []}))
    assert topology.unix_socket_of(demo, "edge", "http") == socket
    ports = [one.name for one in topology.listening_ports(demo) if one.group == "edge"]
    assert ports == (["admin"] if socket else ["http", "admin"])


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ({}, ".port: missing. Add the key, or 'unix_socket'."),
        (
            {"port": 8080, "unix_socket": "a"},
            ": has 'port' and 'unix_socket'. Keep one of them, or use two listeners.",
        ),
        ({"publish": 8080, "unix_socket": "a"}, ".publish: a Unix socket has no port. Remove the key."),
        ({"publish": 8080, "listener": PIPE}, ".publish: a Unix socket has no port. Remove the key."),
        ({"unix_socket": "a", "listener": PIPE}, ".listener.address: 'unix_socket' states the address."),
        (
            {"unix_socket": "run/a"},
            ".unix_socket: 'run/a' is not the name of a socket. Use at most 40 letters",
        ),
        ({"unix_socket": ".."}, ".unix_socket: '..' is not the name of a socket."),
    ],
)
def test_contradicting_keys_of_a_listener_are_refused(listener: dict[str, Any], message: str) -> None:
    assert error_of(changed(HTTP, {**listener, "routes": []})).startswith(f"shop.yml: {HTTP}{message}")


def test_unix_socket_receives_no_datagrams() -> None:
    message = error_of(changed(HTTP, {"unix_socket": "a", "udp_filters": []}))
    assert message == f"shop.yml: {HTTP}.udp_filters: datagrams need a port. Use 'port'."


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"publish": 8080}, ".publish: a Unix socket has no port. Publish a listener of the sidecar."),
        ({"protocol": "udp"}, ".protocol: datagrams need a port."),
        ({"unix_socket": "a/b"}, ".unix_socket: 'a/b' is not the name of a socket."),
        (
            {"server": {"image": "i", "command": ["c"], "metrics": "/m"}},
            ".server.metrics: the page is read at a port.",
        ),
    ],
)
def test_contradicting_keys_of_a_service_are_refused(service: dict[str, Any], message: str) -> None:
    data = changed("services.far", {"unix_socket": "app.sock", **service})
    assert error_of(data).startswith(f"shop.yml: services.far{message}")


def test_application_has_its_socket() -> None:
    demo = read_demo("shop", {**SHOP, "services": {**SHOP["services"], "far": {"unix_socket": "app.sock"}}})
    assert topology.unix_socket_of(demo, "far", "app") == "app.sock"
    assert topology.unix_socket_of(demo, "web", "app") == ""
