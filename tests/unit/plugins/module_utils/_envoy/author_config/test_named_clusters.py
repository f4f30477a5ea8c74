# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the clusters that an author's files name."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.config_reader import (
    read_config,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import ConfigFile
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.named_clusters import (
    check_named_clusters,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import FileError

FILTERS = "type.googleapis.com/envoy.extensions.filters"
BOOTSTRAP = f"""\
static_resources:
  listeners:
    - address: {{socket_address: {{address: 0.0.0.0, port_value: 8080}}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": {FILTERS}.network.http_connection_manager.v3.HttpConnectionManager
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": {FILTERS}.http.ext_authz.v3.ExtAuthz
                      grpc_service:
                        envoy_grpc:
                          cluster_name: authz
  clusters:
    - name: auth
"""
ROUTES = """\
resources:
  - "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
    name: all
    virtual_hosts:
      - {name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: webb}}]}
"""
CLUSTERS = """\
resources:
  - "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: authz
"""


def refusal(files: dict[str, str], has_other_clusters: bool = False) -> str:
    """Return why files are refused; empty if they are not. The first one is the bootstrap."""
    try:
        check_named_clusters(next(iter(files)), files, has_other_clusters)
    except FileError as error:
        return str(error)
    return ""


def test_missing_cluster_of_a_filter_has_its_line() -> None:
    assert refusal({"envoy.yaml": BOOTSTRAP}) == (
        "envoy.yaml line 15: unknown cluster 'authz'. Did you mean 'auth'? Correct the name, or add the cluster"
    )
    with pytest.raises(FileError, match="line 15: unknown cluster 'authz'"):
        read_config([ConfigFile("envoy.yaml", "envoy.yaml", BOOTSTRAP)])


def test_cluster_of_a_watched_file_is_known() -> None:
    assert refusal({"envoy.yaml": BOOTSTRAP, "cds.yaml": CLUSTERS}) == ""
    assert refusal({"envoy.yaml": BOOTSTRAP}, has_other_clusters=True) == ""
    assert (
        refusal(
            {"envoy.yaml": f"{BOOTSTRAP}dynamic_resources: {{ads_config: {{}}, cds_config: {{ads: {{}}}}}}\n"}
        )
        == ""
    )


def test_route_of_a_watched_file_needs_its_cluster() -> None:
    files = {"envoy.yaml": BOOTSTRAP.replace("cluster_name: authz", "cluster_name: auth"), "rds.yaml": ROUTES}
    assert refusal(files).startswith("rds.yaml line 5: unknown cluster 'webb'.")
    tolerant = ROUTES.replace("    name: all\n", "    name: all\n    validate_clusters: false\n")
    assert refusal({**files, "rds.yaml": tolerant}) == ""


def test_source_needs_a_cluster_of_the_bootstrap() -> None:
    source = (
        "dynamic_resources: {lds_config: {api_config_source: {api_type: REST, cluster_names: [authz]}}}\n"
    )
    assert refusal({"envoy.yaml": BOOTSTRAP + source, "cds.yaml": CLUSTERS}) == (
        "envoy.yaml line 18: Envoy needs the cluster 'authz' before it reads watched files."
        " Move it to 'static_resources.clusters' of envoy.yaml"
    )


def test_source_without_ads_server_is_refused() -> None:
    assert refusal({"envoy.yaml": f"{BOOTSTRAP}dynamic_resources: {{lds_config: {{ads: {{}}}}}}\n"}) == (
        "envoy.yaml line 18: envoy.yaml has no ADS server, so Envoy would wait for it. Add 'dynamic_resources.ads_config', or use another"
        " source"
    )
