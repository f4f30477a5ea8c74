# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the names of Kubernetes objects."""

from __future__ import annotations

import re

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import object_names


def test_names_are_dns_labels() -> None:
    assert object_names.object_name("front_proxy", "service_1") == "front-proxy-service-1"
    assert object_names.pods_name("front_proxy", "service_1") == "front-proxy-service-1-pods"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http", "http"),
        ("read_only", "read-only"),
        ("www.example.com", "www-example-com-80fc0f"),
        ("SERVICE_A", "service-a-"),
        ("|", "port-"),
        ("x" * 64, "x" * 56 + "-"),
    ],
)
def test_port_name_is_a_dns_label(name: str, expected: str) -> None:
    made = object_names.port_name(name)
    assert made.startswith(expected)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", made)


def test_port_names_of_similar_listeners_differ() -> None:
    names = ["a.b", "a|b", "A.b", "x" * 64, "x" * 65]
    assert len({object_names.port_name(name) for name in names}) == len(names)


def test_name_of_a_route_is_a_dns_label() -> None:
    name = object_names.route_name("front_proxy", "edge", "outbound|8080||web.shop.svc.cluster.local")
    assert name.startswith("front-proxy-edge-outbound-8080-web-shop-")
    assert len(name) <= len("front-proxy-edge-") + object_names.LONGEST_PORT


def test_label_keeps_the_name_of_the_demo() -> None:
    labels = object_names.labels("front_proxy", "my_edge")
    assert labels[object_names.DEMO] == "front_proxy"
    assert labels[object_names.NAME] == "my-edge"


def test_selector_selects_one_or_several_groups() -> None:
    one = object_names.selector("shop", "web")
    assert one == "meshlab.envoy/demo=shop,app.kubernetes.io/name=web"
    several = object_names.selector("shop", "web", "my_db")
    assert several == "meshlab.envoy/demo=shop,app.kubernetes.io/name in (web, my-db)"


def test_config_key_has_no_slash() -> None:
    assert object_names.config_key("secrets/a b.yaml") == "secrets__a_b.yaml"


def test_names_of_standby_services_are_whole_names() -> None:
    text = "{address: shop-web-standby, port_value: 80}, shop-a-standby.demo, shop-b-standby-pods, standby"
    assert object_names.standby_names_in(text) == ["shop-web-standby", "shop-a-standby"]
    assert object_names.standby_names_in("shop-web-pods") == []
