# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the references to clusters in a demo."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from demo_data import EDGE, SHOP, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

HTTP = f"{EDGE}.listeners.http"
TYPE = "type.googleapis.com/envoy.extensions"
UNKNOWN = "unknown cluster 'webb'. Did you mean 'web'? The clusters of this proxy are: web. Correct the name, or add the cluster under"


def typed(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an extension."""
    return {"name": "one", "typed_config": {"@type": f"{TYPE}.{kind}", **fields}}


GRPC = {"envoy_grpc": {"cluster_name": "webb"}}
SERVICE = {"grpc_service": GRPC}
TRACING = {"tracing": {"provider": {
    "name": "z",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
        "collector_cluster": "webb",
        "collector_endpoint": "/a",
        "collector_endpoint_version": "HTTP_JSON",
    },
}}}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "below"),
    [
        (f"{HTTP}.routes", [{"match": {"prefix": "/"}, "route": {"cluster": "webb"}}], "[0].route.cluster"),
        (
            f"{HTTP}.routes",
            [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": [{"name": "webb", "weight": 1}]}}}],
            "[0].route.weighted_clusters.clusters[0].name",
        ),
        (
            f"{HTTP}.routes",
            [{"match": {"prefix": "/"}, "route": {"cluster": "web", "requestMirrorPolicies": [{"cluster": "webb"}]}}],
            "[0].route.requestMirrorPolicies[0].cluster",
        ),
        (
            f"{HTTP}.http_filters",
            [typed("filters.http.ext_authz.v3.ExtAuthz", grpc_service=GRPC)],
            "[0].typed_config.grpc_service.envoy_grpc.cluster_name",
        ),
        (
            f"{HTTP}.http_filters",
            [typed("filters.http.lua.v3.Lua", inline_code="function envoy_on_request(h) h:httpCall('webb') end")],
            "[0].typed_config.inline_code",
        ),
        (f"{HTTP}.http_connection_manager", TRACING, ".tracing.provider.typed_config.collector_cluster"),
        (
            f"{HTTP}.http_connection_manager",
            {"access_log": [typed("access_loggers.grpc.v3.HttpGrpcAccessLogConfig", common_config={"log_name": "a", **SERVICE})]},
            ".access_log[0].typed_config.common_config.grpc_service.envoy_grpc.cluster_name",
        ),
        (f"{EDGE}.bootstrap", {"cluster_manager": {"local_cluster_name": "webb"}}, ".cluster_manager.local_cluster_name"),
    ],
)  # fmt: skip
def test_missing_cluster_is_refused_with_its_key(path: str, value: Any, below: str) -> None:
    assert error_of(changed(path, value)) == f"shop.yml: {path}{below}: {UNKNOWN} '{EDGE}.clusters'."


def test_missing_cluster_of_a_change_is_refused() -> None:
    data = copy.deepcopy(SHOP)
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "webb"}}]
    data["changes"]["bigger"]["set"] = {"proxies": {"edge": {"listeners": {"http": {"routes": routes}}}}}
    assert error_of(data).startswith(
        f"shop.yml with change 'bigger': {HTTP}.routes[0].route.cluster: unknown"
    )


def test_admin_cluster_is_refused() -> None:
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "admin"}}]
    assert "the cluster 'admin' is the whole admin interface, by which a client can stop Envoy." in error_of(
        changed(f"{HTTP}.routes", routes)
    )


@pytest.mark.parametrize(
    ("path", "value", "below"),
    [
        (f"{EDGE}.bootstrap", {"cluster_manager": {"local_cluster_name": "web"}}, ".cluster_manager.local_cluster_name"),
        (
            f"{HTTP}.http_connection_manager",
            {"rds": {"route_config_name": "a", "config_source": {"api_config_source": {
                "api_type": "REST", "cluster_names": ["web"], "refresh_delay": "1s"}}}},
            ".rds.config_source.api_config_source.cluster_names[0]",
        ),
    ],
)  # fmt: skip
def test_source_needs_a_static_cluster(path: str, value: Any, below: str) -> None:
    message = "Envoy needs the cluster 'web' statically, in its bootstrap, before it reads any other. Set 'static: true' in"
    data = changed(path, value)
    assert error_of(data) == f"shop.yml: {path}{below}: {message} '{EDGE}.clusters.web'."
    data["proxies"]["edge"]["clusters"]["web"]["static"] = True
    read_demo("shop", data)


def test_static_cluster_has_its_key_when_it_is_renamed() -> None:
    data = changed(f"{EDGE}.bootstrap", {"cluster_manager": {"local_cluster_name": "renamed"}})
    data["proxies"]["edge"]["clusters"]["own"] = {"to": "web", "cluster": {"name": "renamed"}}
    assert error_of(data).endswith(f"Set 'static: true' in '{EDGE}.clusters.own'.")


def test_author_can_accept_missing_clusters() -> None:
    data = changed(f"{HTTP}.routes", [{"match": {"prefix": "/"}, "route": {"cluster": "webb"}}])
    data["proxies"]["edge"]["listeners"]["http"]["http_connection_manager"] = {
        "route_config": {"validate_clusters": False}
    }
    read_demo("shop", data)


def test_clusters_of_the_bootstrap_and_new_names_are_known() -> None:
    data = changed(f"{HTTP}.routes", [{"match": {"prefix": "/"}, "route": {"cluster": "renamed"}}])
    data["proxies"]["edge"]["clusters"]["web"]["cluster"] = {"name": "renamed"}
    read_demo("shop", data)
    data = changed(f"{HTTP}.routes", [{"match": {"prefix": "/"}, "route": {"cluster": "own"}}])
    data["proxies"]["edge"]["bootstrap"] = {
        "static_resources": {"clusters": [{"name": "own", "type": "STATIC"}]}
    }
    read_demo("shop", data)


def test_source_without_ads_server_is_refused() -> None:
    rds = {"rds": {"route_config_name": "a", "config_source": {"ads": {}}}}
    data = changed(f"{HTTP}.http_connection_manager", rds)
    assert error_of(data) == (
        f"shop.yml: {HTTP}.http_connection_manager.rds.config_source.ads: the proxy has no ADS server, so Envoy would wait for it."
        f" Add '{EDGE}.bootstrap.dynamic_resources.ads_config', or use another source."
    )
    server = {
        "api_type": "GRPC",
        "grpc_services": [{"google_grpc": {"target_uri": "a:1", "stat_prefix": "a"}}],
    }
    data["proxies"]["edge"]["bootstrap"] = {"dynamic_resources": {"ads_config": server}}
    read_demo("shop", data)
