# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts with one sidecar each, from the role, with mutual TLS from one authority: case 41."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from cases import CaseDeployment, PortBlock, case_data
from certificates_page import block as example
from http_service import http_service
from live import Home

from ansible_collections.meshlab.envoy.plugins.plugin_utils._shared_authority import with_issued_certificates


@pytest.fixture
def service_port() -> Iterator[int]:
    """Return the port of a service on the second host."""
    with http_service("127.0.0.3") as port:
        yield port


@pytest.fixture
def second_block() -> Iterator[PortBlock]:
    """Return the ports of the second host."""
    found = PortBlock()
    yield found
    found.close()


def example_site(folder: Path, first: int, second: int, service_port: int) -> str:
    """Write the playbook and the inventory of the page, with two addresses of this machine as hosts; return the playbook.

    Each host has a block of ports of its own, `first` and `second`, because one machine has only one Envoy with a base id.
    """
    inventory = yaml.safe_load(example("hosts=hosts.yml"))
    shop = inventory["shop"]
    a, b = shop["hosts"]["a"], shop["hosts"]["b"]
    a |= {
        "deployment_bind": "127.0.0.2",
        "envoy_sidecar_ports": first,
        "envoy_sidecar_listener": {"port": first + 80, "publish": first + 80},
    }
    a["envoy_sidecar_cluster"] |= {"address": "127.0.0.3", "port": first + 90}
    b |= {
        "deployment_bind": "127.0.0.3",
        "envoy_sidecar_ports": second,
        "envoy_sidecar_listener": {"port": first + 90, "publish": first + 90},
    }
    b["envoy_sidecar_cluster"] = {"address": "127.0.0.3", "port": service_port}
    for host in (a, b):
        del host["ansible_host"]
    shop["vars"] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "envoy_sidecar_admin": {"publish": first + 1},
    }
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (folder / "site.yml").write_text(example("hosts=site.yml"))
    return str(folder / "site.yml")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home("local")
    home.inventory = str(tmp_path / "hosts.yml")
    yield home
    home.close()


def test_sidecars_of_two_hosts_trust_one_authority(
    home: Home, block: PortBlock, second_block: PortBlock, service_port: int, tmp_path: Path
) -> None:
    site = example_site(tmp_path, block.first, second_block.first, service_port)
    folders = [home.folder / f".local/state/meshlab.envoy/shop_{host}" for host in "ab"]
    try:
        ran = home.play(site, "--diff", "-vvv")
        for _request in range(4):
            with urlopen(f"http://127.0.0.2:{block.first + 80}/", timeout=20) as response:
                assert response.status == 200
        authority = home.folder / ".local/state/meshlab.envoy/authorities/shop"
        assert_no_key_is_shown(ran.output, authority)
        assert [(folder / "ca/ca.crt").read_bytes() for folder in folders] == [
            (authority / "ca/ca.crt").read_bytes()
        ] * 2
        assert [path for folder in folders for path in folder.rglob("ca.key")] == []
        assert_server_requires_a_certificate(block.first + 90, folders[0])
        assert home.play(site).recap["changed"] == 0
    finally:
        home.play(site, envoy_sidecar_state="absent")
    assert not any(folder.exists() for folder in folders)


def assert_no_key_is_shown(output: str, authority: Path) -> None:
    keys = [path.read_text(encoding="ascii") for path in authority.rglob("*.key") if path.is_file()]
    assert len(keys) >= 3
    assert [key for key in keys if key.splitlines()[1] in output] == []
    assert "shop_b/certs/tls.key" in output


def assert_server_requires_a_certificate(port: int, folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca/ca.crt"))
    with (
        socket.create_connection(("127.0.0.3", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="shop_b") as connection,
        # With TLS 1.3, the client learns of the refusal only when it reads.
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        connection.recv(1)


@pytest.mark.parametrize("platform", ["kubernetes", pytest.param("docker", marks=pytest.mark.slow)])
def test_containers_get_certificates_of_a_shared_authority(
    block: PortBlock, deployment: Callable[[str], CaseDeployment], platform: str
) -> None:
    made = deployment(platform)
    data = case_data("18-uri-san/a.yml", block)
    data["proxies"]["edge"]["clusters"]["inner"]["tls"] = {"client_certificate": True}
    data["proxies"]["inner"]["listeners"]["https"]["tls"] = {"client_certificate": True}
    data["traffic"][0]["expect"][0]["status"] = "200"
    authority = made.root / "authority"
    planned = with_issued_certificates(made.plan(data), authority, "host", check_mode=False)
    result = made.result(planned)
    assert not result["failed"], result["msg"]
    assert made.failures(planned) == []
    assert (made.folder / "ca/ca.crt").read_bytes() == (authority / "ca/ca.crt").read_bytes()
    again = with_issued_certificates(made.plan(data), authority, "host", check_mode=False)
    assert not made.result(again)["changed"]
