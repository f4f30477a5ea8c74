# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the planner's view of containers."""

from __future__ import annotations

import pytest
import yaml
from platform_objects import platform_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.layout import DockerPlatform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port, Workload


def test_document_publishes_on_the_bind_address() -> None:
    workload = Workload("web", ("web",), image="web:1", ports=(Port(8080, 18080),))
    (document,) = platform_of("docker", bind="192.0.2.1").documents("default", [workload], [], []).files
    assert document.path == "compose.yaml"
    assert yaml.safe_load(document.content)["services"]["web-network"]["ports"] == ["192.0.2.1:18080:8080"]


def test_document_joins_an_existing_network() -> None:
    (document,) = platform_of("docker", network="lab").documents("default", [], [], []).files
    assert yaml.safe_load(document.content)["networks"]["default"] == {"name": "lab", "external": True}


def test_container_is_reached_by_name() -> None:
    platform = platform_of("docker")
    (edge,) = [one for one in platform.proxies() if one.name == "edge"]
    assert platform.target_addresses("web", edge, "clusters.web") == [("web-1", 10000), ("web-2", 10000)]
    assert platform.public_netloc("db", "app") == "127.0.0.1:18081"


@pytest.mark.parametrize("network", ["host", "bridge", "none", "container:web"])
def test_network_without_names_is_refused(network: str) -> None:
    context = Context(platform="docker", folder="/state", network=network)
    with pytest.raises(DemoError) as caught:
        DockerPlatform.check_context(context)
    assert str(caught.value).startswith(
        f"context: network: containers of Docker's network '{network}' have no names"
    )
    assert "is reachable as 'host.docker.internal'" in str(caught.value)
