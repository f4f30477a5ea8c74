# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the fields that name clusters."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api import api_types
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import BOOTSTRAP
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.cluster_references import (
    CLUSTER_FIELDS,
    cluster_references,
    fetches_on_demand,
)

FILTER = "envoy.extensions.filters.http"
HTTP_FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
# Fields whose name has the word, and whose value is no cluster of the same Envoy that must exist.
NO_REFERENCES = {
    "envoy.config.core.v3.Node cluster",
    "envoy.config.endpoint.v3.ClusterLoadAssignment cluster_name",
    "envoy.config.endpoint.v3.ClusterStats cluster_name",
    "envoy.config.endpoint.v3.ClusterStats cluster_service_name",
    "envoy.config.route.v3.RouteAction cluster_header",
    "envoy.config.route.v3.RouteAction cluster_specifier_plugin",
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy cluster_header",
    "envoy.config.route.v3.WeightedCluster.ClusterWeight cluster_header",
    "envoy.extensions.clusters.dynamic_modules.v3.ClusterConfig cluster_name",
    f"{FILTER}.cache_v2.v3.CacheV2Config override_upstream_cluster",
    f"{FILTER}.fault.v3.HTTPFault upstream_cluster",
    # clusters of Kafka
    "envoy.extensions.filters.network.kafka_mesh.v3alpha.ForwardingRule target_cluster",
    "envoy.extensions.filters.network.kafka_mesh.v3alpha.KafkaClusterDefinition cluster_name",
    "envoy.extensions.filters.network.reverse_tunnel.v3.ReverseTunnel required_cluster_name",
    "envoy.extensions.filters.network.reverse_tunnel.v3.Validation cluster_id_format",
    "envoy.extensions.filters.network.thrift_proxy.v3.RouteAction cluster_header",
}


def http_filter(name: str, message: str, **fields: Any) -> dict[str, Any]:
    """Return an HTTP filter."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{FILTER}.{message}", **fields}}


def test_each_field_named_cluster_is_known() -> None:
    found = {
        f"{kind} {field.name}"
        for kind in api_types._table()[0]
        for field in api_types.fields_of(kind).values()
        if "cluster" in field.name and field.type == "s"
    }
    known = {f"{kind} {field}" for kind, field in CLUSTER_FIELDS.items()}
    assert found - known == NO_REFERENCES
    assert all(field in api_types.fields_of(kind) for kind, field in CLUSTER_FIELDS.items())


GRPC = {"grpc_service": {"envoy_grpc": {"cluster_name": "x"}}}
URI = {"uri": "http://a", "cluster": "x", "timeout": "1s"}


@pytest.mark.parametrize(
    "found",
    [
        http_filter("envoy.filters.http.ext_authz", "ext_authz.v3.ExtAuthz", **GRPC),
        http_filter("envoy.filters.http.ext_authz", "ext_authz.v3.ExtAuthz", httpService={"serverUri": URI}),
        http_filter(
            "jwt", "jwt_authn.v3.JwtAuthentication", providers={"a": {"remote_jwks": {"http_uri": URI}}}
        ),
        http_filter("limit", "ratelimit.v3.RateLimit", domain="a", rate_limit_service=GRPC),
        http_filter("script", "lua.v3.Lua", default_source_code={"inline_string": "a:httpCall('x', {})"}),
        http_filter("script", "lua.v3.Lua", inline_code='h: httpCall(  "x", {})'),
    ],
    ids=["grpc", "http_uri", "jwks", "ratelimit", "lua source", "lua code"],
)
def test_cluster_of_http_filter_is_found(found: dict[str, Any]) -> None:
    assert [one.name for one in cluster_references([found], HTTP_FILTER)] == ["x"]


def test_sources_and_bootstrap_need_static_clusters() -> None:
    source = {"api_config_source": {"api_type": "REST", "cluster_names": ["x"]}}
    [rds] = cluster_references(
        {"rds": {"config_source": source}}, HTTP_FILTER.replace("HttpFilter", "HttpConnectionManager")
    )
    assert (rds.path, rds.is_static) == (
        ("rds", "config_source", "api_config_source", "cluster_names", 0),
        True,
    )
    [local] = cluster_references({"cluster_manager": {"local_cluster_name": "x"}}, BOOTSTRAP)
    assert local.is_static


def test_on_demand_discovery_is_found() -> None:
    odcds = {"source": {"ads": {}}}
    assert fetches_on_demand([http_filter("x", "on_demand.v3.OnDemand", odcds=odcds)], HTTP_FILTER)
    assert not fetches_on_demand([http_filter("x", "on_demand.v3.OnDemand")], HTTP_FILTER)
