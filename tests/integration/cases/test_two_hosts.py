# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts with one sidecar each, from the role, with mutual TLS from one authority: case 41."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from cases import CASES, PortBlock
from live import Home

CASE = CASES / "41-two-hosts"


class Service(http.server.BaseHTTPRequestHandler):
    """Answers each request with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def service_port() -> Iterator[int]:
    """Return the port of a service on the second host."""
    server = http.server.ThreadingHTTPServer(("127.0.0.3", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def home() -> Iterator[Home]:
    home = Home("local")
    home.inventory = str(CASE / "hosts.yml")
    yield home
    home.close()


def test_sidecars_of_two_hosts_trust_one_authority(home: Home, block: PortBlock, service_port: int) -> None:
    variables = {"base": block.first, "service_port": service_port}
    site = str(CASE / "site.yml")
    try:
        ran = home.play(site, "--diff", "-vvv", **variables)
        for _request in range(4):
            with urlopen(f"http://127.0.0.2:{block.first + 80}/", timeout=20) as response:
                assert response.status == 200
        authority = home.folder / ".local/state/meshlab.envoy/authorities/shop"
        assert_no_key_is_shown(ran.output, authority)
        folders = [home.folder / f".local/state/meshlab.envoy/shop_{host}" for host in "ab"]
        assert [(folder / "ca/ca.crt").read_bytes() for folder in folders] == [
            (authority / "ca/ca.crt").read_bytes()
        ] * 2
        assert [path for folder in folders for path in folder.rglob("ca.key")] == []
        assert_server_requires_a_certificate(block.first + 90, folders[0])
        assert home.play(site, **variables).recap["changed"] == 0
    finally:
        home.play(site, envoy_sidecar_state="absent", **variables)
    assert not any(folder.exists() for folder in folders)


def assert_no_key_is_shown(output: str, authority: Path) -> None:
    keys = [path.read_text(encoding="ascii") for path in authority.rglob("*.key") if path.is_file()]
    assert len(keys) >= 3
    assert [key for key in keys if key.splitlines()[1] in output] == []
    assert "shop_b/certs/tls.key" in output


def assert_server_requires_a_certificate(port: int, folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca/ca.crt"))
    request = b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.3", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="shop_b") as connection,
    ):
        connection.sendall(request)
        # With TLS 1.3, the client learns of the refusal only when it reads.
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            connection.recv(1)
