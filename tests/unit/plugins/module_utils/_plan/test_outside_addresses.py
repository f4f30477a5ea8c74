# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test clusters whose address is on the host, or in the container of their proxy, on each platform."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from planned_envoy import plan

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

CONTAINERS = ("docker", "kubernetes")

ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]
# The first one forwards to the second one, in the same container.
TWO_LISTENERS = {
    "http": {"port": 8070, "routes": ROUTES},
    "inner": {"port": 8071, "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]},
}


def planned(platform: str, cluster: dict[str, Any], **edge: Any) -> dict[str, Any]:
    """Return the plan of a demo whose edge proxy has the cluster `app`."""
    proxy = {"listeners": {"http": {"port": 8070, "routes": ROUTES}}, "clusters": {"app": cluster}, **edge}
    return plan({"summary": "s", "ports": 20000, "proxies": {"edge": proxy}}, "shop", platform)


def endpoint(planned_demo: dict[str, Any]) -> Any:
    [content] = [
        one["content"] for one in planned_demo["files"] if one["path"].endswith("edge/clusters.yaml")
    ]
    [resource] = yaml.safe_load(content)["resources"]
    [found] = resource["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return found["endpoint"]["address"]["socket_address"]["address"]


@pytest.mark.parametrize(
    ("platform", "address"), [("docker", "host.docker.internal"), ("local", "127.0.0.1")]
)
def test_host_of_containers_has_an_address(platform: str, address: str) -> None:
    found = planned(platform, {"address": "host.docker.internal", "port": 26790})
    assert endpoint(found) == address


def test_host_of_containers_is_a_name_in_each_network_of_docker() -> None:
    found = planned("docker", {"address": "host.docker.internal", "port": 26790})
    [document] = [one["content"] for one in found["files"] if one["path"] == "compose.yaml"]
    assert yaml.safe_load(document)["services"]["edge-network"]["extra_hosts"] == [
        "host.docker.internal:host-gateway"
    ]


def test_pod_has_no_host() -> None:
    with pytest.raises(DemoError) as caught:
        planned("kubernetes", {"address": "host.docker.internal", "port": 26790})
    assert str(caught.value) == (
        "shop.yml: proxies.edge.clusters.app.address: 'host.docker.internal' is the name of the host of a container, which a pod"
        " does not have. Use an address that pods of the cluster reach, or state the platform in 'unsupported_on'."
    )


@pytest.mark.parametrize("platform", CONTAINERS)
@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_of_a_container_without_a_listener_is_refused(platform: str, address: str) -> None:
    with pytest.raises(DemoError) as caught:
        planned(platform, {"address": address, "port": 26790})
    assert str(caught.value).startswith(
        f"shop.yml: proxies.edge.clusters.app.address: '{address}' is the container of edge itself,"
        " in which nothing listens on port 26790. Use "
    )


def test_bootstrap_without_listeners_makes_no_listener() -> None:
    bootstrap = {"node": {"id": "edge-1"}}
    with pytest.raises(DemoError, match="is the container of edge itself"):
        planned("docker", {"address": "127.0.0.1", "port": 8080}, bootstrap=bootstrap)


def test_loopback_is_the_host_on_local() -> None:
    assert endpoint(planned("local", {"address": "127.0.0.1", "port": 26790})) == "127.0.0.1"


@pytest.mark.parametrize("platform", CONTAINERS)
@pytest.mark.parametrize(
    ("port", "edge"),
    [
        (8071, {"listeners": TWO_LISTENERS}),
        (9902, {}),
        (7, {"bootstrap": {"static_resources": {"listeners": [{"name": "own"}]}}}),
    ],
    ids=["listener", "read-only admin", "listener of the bootstrap"],
)
def test_loopback_with_a_listener_is_accepted(platform: str, port: int, edge: dict[str, Any]) -> None:
    assert endpoint(planned(platform, {"address": "127.0.0.1", "port": port}, **edge)) == "127.0.0.1"
