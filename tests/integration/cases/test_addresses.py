# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test addresses and ports as people write them: DNS families, ALPN, IPv6, HTTP/2 upstreams, the admin, and wrong forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock, case_data

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Deploy = Callable[[str], CaseDeployment]
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "02-dns-lookup-family/v6.yml",
        pytest.param("02-dns-lookup-family/control.yml", marks=SLOW),
        pytest.param("02-dns-lookup-family/logical.yml", marks=SLOW),
        pytest.param("02-dns-lookup-family/refresh.yml", marks=SLOW),
        "05-alpn/a.yml",
        pytest.param("25-ipv6/a.yml", marks=SLOW),
        "25-ipv6/b-brackets.yml",
    ],
)
def test_case_holds_on_local(block: PortBlock, deployment: Deploy, name: str) -> None:
    local = deployment("local")
    assert local.failures(local.deploy(case_data(name, block))) == []


@pytest.mark.parametrize("platform", ["docker", "kubernetes"])
@pytest.mark.slow
def test_alpn_of_the_author_holds_in_containers(block: PortBlock, deployment: Deploy, platform: str) -> None:
    made = deployment(platform)
    assert made.failures(made.deploy(case_data("05-alpn/a.yml", block))) == []


def error_of(made: CaseDeployment, data: Any, **context: Any) -> str:
    """Return the error of a plan, which is made before anything changes."""
    with pytest.raises(DemoError) as caught:
        made.plan(data, **context)
    return str(caught.value)


@pytest.mark.parametrize("platform", ["local", pytest.param("docker", marks=SLOW)])
def test_http2_upstream_and_traffic_to_it_work(block: PortBlock, deployment: Deploy, platform: str) -> None:
    made = deployment(platform)
    data = case_data("31-http2/a.yml", block)
    # 502 or 503: Envoy reads an answer of HTTP/2, or the end of the connection, first.
    data["traffic"][2]["expect"][0]["status"] = "5xx"
    assert made.failures(made.deploy(data)) == []


def test_admin_address_of_the_author_is_refused(block: PortBlock, deployment: Deploy) -> None:
    message = error_of(deployment("local"), case_data("24-admin-tcp/a.yml", block))
    assert message.startswith(
        "case.yml: proxies.edge.bootstrap.admin.address: the collection sets the address"
    )
    assert "set 'proxies.edge.admin.publish'." in message


@pytest.mark.parametrize(
    ("cluster", "remedy"),
    [
        ("scheme", "Write the host without the scheme: 'localhost'."),
        ("port", "Write 'localhost', and 'port: "),
        ("slash", "Write the host only: 'localhost'."),
        ("space", "Write 'localhost'."),
    ],
)
def test_wrong_form_of_an_address_is_refused(
    block: PortBlock, deployment: Deploy, cluster: str, remedy: str
) -> None:
    data = case_data("28-address-forms/a.yml", block)
    clusters = data["proxies"]["edge"]["clusters"]
    data["proxies"]["edge"]["clusters"] = {cluster: clusters[cluster]}
    message = error_of(deployment("local"), data)
    assert message.startswith(f"case.yml: proxies.edge.clusters.{cluster}.address: ")
    assert remedy in message


@SLOW
def test_to_reaches_a_proxy_with_one_address(block: PortBlock, deployment: Deploy) -> None:
    docker = deployment("docker")
    assert docker.failures(docker.deploy(case_data("25-ipv6/c.yml", block))) == []
