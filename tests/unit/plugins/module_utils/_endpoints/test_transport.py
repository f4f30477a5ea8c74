# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to endpoints, and the texts for those that fail."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError


def connect(url: str, connector: Connector | None = None, **entry: Any) -> None:
    """Open a connection and close it."""

    async def run() -> None:
        (endpoint,) = parse_endpoints([{"url": url, **entry}])
        (await (connector or Connector()).open(endpoint)).close()

    asyncio.run(run())


def test_tcp_and_unix_connect(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        connect(f"unix://{path}")


def test_address_that_works_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: found)
        connector = Connector()
        connect(f"http://name:{port}", connector)
        assert [address[1][0] for address in connector.addresses["name", port]] == ["127.0.0.1", "::1"]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_text_of_a_refused_connection() -> None:
    with pytest.raises(ScrapeError, match=r"^connection refused; is Envoy running\?$"):
        connect(f"http://127.0.0.1:{closed_port()}")


def test_text_of_a_missing_socket(tmp_path: Path) -> None:
    with pytest.raises(ScrapeError, match=r"^the socket does not exist; is Envoy running\?$"):
        connect(f"unix://{tmp_path}/none")


def test_text_of_a_wrong_file_for_tls(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ScrapeError, match=r"^ca_path: .*/none .*; correct the path or the file$"):
            connect(url, ca_path=str(tmp_path / "none"))
        with pytest.raises(ScrapeError, match=r"^client_cert: .*/none "):
            connect(url, client_cert=str(tmp_path / "none"))


def test_text_of_a_server_without_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        text = "^TLS failed: the server does not use TLS; use http:// instead of https://$"
        with pytest.raises(ScrapeError, match=text):
            connect(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
