# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the names of Kubernetes objects."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import object_names


def test_names_are_dns_labels() -> None:
    assert object_names.object_name("front_proxy", "service_1") == "front-proxy-service-1"
    assert object_names.pods_name("front_proxy", "service_1") == "front-proxy-service-1-pods"


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
