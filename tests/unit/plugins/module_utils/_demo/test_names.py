# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the names of listeners and clusters, which follow Envoy's rules, and those of services and proxies."""

from __future__ import annotations

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.names import (
    envoy_name_problem,
    name_problem,
)

ENVOY_NAMES = (
    "www.example.com",
    "outbound|8080||web.shop",
    "SERVICE_A",
    "a",
    "x" * 200,
    "with a blank",
    "a:b/c",
)


@pytest.mark.parametrize("name", ENVOY_NAMES)
def test_name_of_a_cluster_follows_envoys_rules(name: str) -> None:
    assert envoy_name_problem(name) == ""
    data = changed(f"{EDGE}.clusters", {name: {"to": "web"}, "web": {"to": "web"}})
    assert name in read_demo("shop", data)["proxies"]["edge"]["clusters"]


@pytest.mark.parametrize("name", ENVOY_NAMES)
def test_name_of_a_listener_follows_envoys_rules(name: str) -> None:
    data = changed(f"{EDGE}.listeners", {name: {"port": 8080, "routes": []}})
    assert [*read_demo("shop", data)["proxies"]["edge"]["listeners"]] == [name]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "Use printable ASCII characters"),
        (" a", "Use printable ASCII characters"),
        ("a\nb", "Use printable ASCII characters"),
        ("ä", "Use printable ASCII characters"),
        ("x" * 201, "It has 201 characters. Use at most 200."),
    ],
)
def test_invalid_envoy_name_is_refused(name: str, problem: str) -> None:
    path = f"{EDGE}.clusters"
    expected = f"shop.yml: {path}.{name}: invalid name '{name}'. {problem}"
    assert error_of(changed(path, {name: {"to": "web"}})).startswith(expected)


@pytest.mark.parametrize("name", ["Web", "a.b", "a|b", "x" * 43, "-a"])
def test_name_of_a_service_is_a_dns_label(name: str) -> None:
    assert name_problem(name).startswith("Use at most 42 lower case letters")
    assert "invalid name" in error_of(changed("services", {name: {"app": {}}}))


@pytest.mark.parametrize("name", ["http.port", "http.host"])
def test_end_of_a_placeholder_is_no_end_of_a_listener(name: str) -> None:
    message = error_of(changed(f"{EDGE}.listeners", {name: {"port": 8080, "routes": []}}))
    assert message == (
        f"shop.yml: {EDGE}.listeners.{name}: the name ends with '{name[-5:]}', which placeholders use. Choose another name."
    )
