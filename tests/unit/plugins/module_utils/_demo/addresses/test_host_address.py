# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the forms of a host's address that a demo accepts, and the messages for all other forms."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.host_address import host_address
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("localhost", "localhost"),
        ("shop.example.com", "shop.example.com"),
        ("shop.example.com.", "shop.example.com."),
        ("my_tcp-1", "my_tcp-1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[2001:db8::5]", "2001:db8::5"),
    ],
)
def test_host_names_and_ip_addresses_are_accepted(value: str, host: str) -> None:
    assert host_address(value, "shop.yml", "address") == host


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("http://localhost", "'http://localhost' is a URL. Write the host without the scheme: 'localhost'."),
        (
            "https://shop.example.com:8443/api",
            (
                "'https://shop.example.com:8443/api' is a URL."
                " Write the host without the scheme: 'shop.example.com', 'port: 8443' and 'tls: {}'."
            ),
        ),
        (
            "localhost:25390",
            "'localhost:25390' contains a port. Write 'localhost', and 'port: 25390' next to it.",
        ),
        ("[::1]:8080", "'[::1]:8080' contains a port. Write '::1', and 'port: 8080' next to it."),
        ("localhost/", "'localhost/' contains a path. Write the host only: 'localhost'."),
        ("localhost ", "'localhost ' contains blanks. Write 'localhost'."),
        (" 127.0.0.1\n", "' 127.0.0.1\\n' contains blanks. Write '127.0.0.1'."),
        ("my host", "'my host' is not a host name or an IP address."),
        ("[localhost]", "'[localhost]' is not a host name or an IP address."),
        ("::g", "'::g' is not a host name or an IP address."),
        ("a,b", "'a,b' is not a host name or an IP address."),
        ("localhost:", "'localhost:' is not a host name or an IP address."),
    ],
)
def test_other_forms_are_refused_with_the_correct_form(value: str, message: str) -> None:
    with pytest.raises(DemoError) as caught:
        host_address(value, "shop.yml", "address")
    assert str(caught.value).startswith(f"shop.yml: address: {message}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{EDGE}.clusters.far", {"address": "http://localhost", "port": 80}),
        (f"{EDGE}.statsd", {"address": "http://localhost", "transport": "tcp"}),
    ],
    ids=["cluster", "statsd"],
)
def test_addresses_of_a_demo_are_checked(path: str, value: dict[str, Any]) -> None:
    assert error_of(changed(path, value)).startswith(f"shop.yml: {path}.address: 'http://localhost' is a URL")


def test_brackets_of_an_ipv6_address_are_removed() -> None:
    data = changed(f"{EDGE}.clusters.far", {"address": "[::1]", "port": 80})
    assert read_demo("shop", data)["proxies"]["edge"]["clusters"]["far"]["address"] == "::1"


@pytest.mark.parametrize("value", ["unix:///run/app.sock", "unix://@app"])
def test_unix_socket_is_an_address_of_a_cluster(value: str) -> None:
    assert host_address(value, "shop.yml", "address", unix_sockets=True) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("/run/app.sock", "'/run/app.sock' is a path. Write 'unix:///run/app.sock' for a Unix socket."),
        (
            "unix:/run/app.sock",
            "'unix:/run/app.sock' is a path. Write 'unix:///run/app.sock' for a Unix socket.",
        ),
        (
            "unix://run/app.sock",
            "'unix://run/app.sock' is not the address of a Unix socket. Write unix:///PATH",
        ),
        ("unix:///run/app .sock", "'unix:///run/app .sock' is not the address of a Unix socket."),
        ("unix:///run/", "'unix:///run/' is not the address of a Unix socket."),
        (f"unix:///{'a' * 107}", "the path has 108 bytes, but a Unix socket allows 107. Use a shorter path."),
    ],
)
def test_other_form_of_a_unix_socket_is_refused(value: str, message: str) -> None:
    with pytest.raises(DemoError) as caught:
        host_address(value, "shop.yml", "address", unix_sockets=True)
    assert str(caught.value).startswith(f"shop.yml: address: {message}")


def test_unix_socket_is_no_address_of_a_statsd_receiver() -> None:
    message = error_of(changed(f"{EDGE}.statsd", {"address": "unix:///run/statsd.sock"}))
    assert message.startswith(
        f"shop.yml: {EDGE}.statsd.address: 'unix:///run/statsd.sock' is not a host name"
    )
