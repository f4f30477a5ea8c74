# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the topology of a demo."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import SHOP, changed

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


def shop(data: Any = SHOP) -> dict[str, Any]:
    """Return the shop with all defaults."""
    return read_demo("shop", data, file="shop.yml")


def test_listening_ports_are_in_the_order_of_the_file() -> None:
    found = [(one.group, one.name, one.number) for one in topology.listening_ports(shop())]
    assert found == [
        ("web", "app", 8080),
        ("web", "ingress", 9000),
        ("web", "admin", 9902),
        ("db", "app", 8080),
        ("edge", "http", 8080),
        ("edge", "admin", 9902),
        ("statsd_exporter", "http", 9102),
        ("statsd_exporter", "statsd", 9125),
    ]


def test_addressable_ports_exclude_statsd() -> None:
    names = list(topology.addressable_ports(shop()))
    assert names == [
        "web/app",
        "web/ingress",
        "web/admin",
        "db/app",
        "edge/http",
        "edge/admin",
        "statsd_exporter",
    ]


def test_referenced_ports_are_those_in_the_texts() -> None:
    demo = shop(changed("services.db.server.command", ["db", "${edge/http.port}", "${web/app}"]))
    known = topology.addressable_ports(demo)
    assert list(topology.referenced_ports(demo, "db", known)) == ["web/app", "edge/http"]
    assert topology.referenced_ports(demo, "web", known) == {}


@pytest.mark.parametrize(
    ("group", "port", "scheme"),
    [("web", "app", "http"), ("db", "app", "tcp"), ("edge", "http", "https"), ("edge", "admin", "http")],
)
def test_scheme_is_that_of_listener_or_service(group: str, port: str, scheme: str) -> None:
    assert topology.scheme_of(shop(), group, port) == scheme


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("web", ("web", "ingress")),
        ("web/app", ("web", "app")),
        ("db", ("db", "app")),
        ("edge", ("edge", "http")),
    ],
)
def test_target_without_port_is_the_first_listener(name: str, target: tuple[str, str]) -> None:
    assert topology.resolve_target(shop(), name, "traffic[0].to") == target


def test_proxy_without_listener_is_no_target() -> None:
    demo = shop(changed("proxies.edge.listeners", {}))
    with pytest.raises(
        DemoError, match=r"shop\.yml: to: proxy 'edge' has no listener\. Add one under 'listeners'\."
    ):
        topology.resolve_target(demo, "edge", "to")
