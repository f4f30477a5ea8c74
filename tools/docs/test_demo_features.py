# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the Envoy features that a demo uses."""

from __future__ import annotations

from typing import Any

WEB = {"port": 8080, "publish": 8000, "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]}


def features_of(**edge: Any) -> list[str]:
    # Test modules are loaded before pytest_configure makes the collection importable.
    from demo_features import features

    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

    proxy = {"listeners": {"http": WEB}, "clusters": {"web": {"to": "web"}}, **edge}
    demo = {"summary": "A shop", "ports": 20000, "services": {"web": {}}, "proxies": {"edge": proxy}}
    return features(read_demo("shop", demo))


def test_plain_proxy_uses_routes_only() -> None:
    assert features_of() == ["routes"]


def test_extension_is_named_by_name_or_by_type() -> None:
    fault = {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"}
    named = {"name": "envoy.filters.http.cors", "typed_config": {"@type": "type.googleapis.com/a.B"}}
    filters = [{"name": "mine", "typed_config": fault}, named]
    assert features_of(listeners={"http": {**WEB, "http_filters": filters}}) == [
        "filters.http.fault",
        "envoy.filters.http.cors",
    ]


def test_cluster_with_tls_uses_upstream_tls_context() -> None:
    assert features_of(clusters={"web": {"to": "web", "tls": {}}}) == ["UpstreamTlsContext"]
