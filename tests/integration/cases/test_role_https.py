# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role envoy_sidecar in front of an HTTPS service with a certificate of its own: case 33."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cases import PortBlock
from certificates import new_certificate
from http_service import http_service
from live import Home

# Each case deploys once more, so that TLS changes while the sidecar runs.
BOOK = """
- hosts: envoy_hosts
  gather_facts: false
  roles: [meshlab.envoy.envoy_sidecar]
  vars:
    envoy_sidecar_name: https_up
    envoy_sidecar_ports: FIRST
    envoy_sidecar_listener: {port: FIRST, publish: FIRST}
    envoy_sidecar_admin: {publish: ADMIN}
    envoy_sidecar_cluster: {address: localhost, port: UPSTREAM, tls: "{{ tls }}"}
"""
SYSTEM = {"ca": "system"}
CONTEXT = {"validation_context": {"trusted_ca": {"filename": "UP"}}}
CASES: list[tuple[dict[str, object], int]] = [
    ({}, 503),
    ({"ca": {"source": "up.crt"}}, 200),
    ({"ca": {"source": "up.crt"}, "server_name": "pay.example.com"}, 503),
    ({"ca": {"source": "up.crt"}, "subject_alt_name": {"ip_address": "127.0.0.1"}}, 200),
    (SYSTEM, 200),
    ({"context": {"common_tls_context": CONTEXT}}, 200),
]


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[int]:
    """Return the port of an HTTPS service for localhost."""
    pair = new_certificate(tmp_path, "up", "DNS:localhost,IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with http_service("127.0.0.1", context) as port:
        yield port


@pytest.mark.slow
def test_sidecar_verifies_an_https_service(upstream: int, block: PortBlock, tmp_path: Path) -> None:
    home, book = Home("local"), tmp_path / "book.yml"
    text = BOOK.replace("FIRST", str(block.first)).replace("ADMIN", str(block.first + 1))
    book.write_text(text.replace("UPSTREAM", str(upstream)))
    CONTEXT["validation_context"]["trusted_ca"]["filename"] = str(tmp_path / "up.crt")
    # The authorities of this machine do not include that of the service.
    trusted = {"deployment_system_ca": str(tmp_path / "up.crt")}
    try:
        statuses = []
        for tls, _status in CASES:
            home.play(str(book), tls=tls, **trusted)
            statuses.append(status_of(f"http://127.0.0.1:{block.first}/"))
        assert statuses == [status for _tls, status in CASES]
    finally:
        home.play(str(book), envoy_sidecar_state="absent", tls={})
        home.close()


def status_of(url: str) -> int:
    try:
        with urlopen(url, timeout=20) as response:
            return int(response.status)
    except HTTPError as error:
        error.close()
        return error.code
