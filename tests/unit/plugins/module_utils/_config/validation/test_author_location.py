# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The author's key and line for an error of Envoy about the configuration that the planner generates."""

from __future__ import annotations

import pytest
import shop_demo
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import CheckSource
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.author_location import (
    author_key,
    author_location,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.envoy_errors import EnvoyError

CANDIDATE = """\
node:
  id: edge
static_resources:
  listeners:
  - name: http
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          stat_prefix: http
          merge_slashes: true
          route_config:
            virtual_hosts:
            - name: http
              routes:
              - match:
                  prefix: /a
                route:
                  cluster: webb
          http_filters:
          - name: envoy.filters.http.lua
          - name: envoy.filters.http.router
  - name: chains
    filter_chains:
    - filters:
      - name: plain
    - filters:
      - name: echo
      transport_socket:
        typed_config:
          common_tls_context:
            alpn_protocols:
            - h2
  - name: admin
    address:
      port_value: 9901
  clusters:
  - name: web
    lb_policy: RANDOM
    load_assignment:
      cluster_name: web
""".splitlines()
SOURCE = CheckSource(
    "shop.yml",
    "proxies.edge",
    {
        "": 3,
        "listeners": 4,
        "listeners.http": 5,
        "listeners.http.routes": 8,
        "listeners.http.routes[0]": 9,
        "listeners.http.routes[0].match": 9,
        "listeners.http.routes[0].route": 10,
        "listeners.http.routes[0].route.cluster": 10,
        "listeners.http.http_filters": 11,
        "listeners.http.http_filters[0]": 12,
        "listeners.http.http_connection_manager": 13,
        "listeners.http.http_connection_manager.merge_slashes": 14,
        "listeners.chains": 20,
        "listeners.chains.filter_chains": 21,
        "listeners.chains.filter_chains.first": 22,
        "listeners.chains.filter_chains.first.filters": 23,
        "listeners.chains.filter_chains.second": 24,
        "listeners.chains.filter_chains.second.filters": 25,
        "listeners.chains.filter_chains.second.filters[0]": 26,
        "listeners.chains.filter_chains.second.tls": 27,
        "listeners.chains.filter_chains.second.tls.context": 28,
        "clusters": 30,
        "clusters.web": 31,
        "clusters.web.cluster": 32,
        "clusters.web.cluster.lb_policy": 33,
        "bootstrap": 40,
        "bootstrap.layered_runtime": 41,
    },
)
CHAIN = "static_resources.listeners[1].filter_chains[1]"
SECOND = "listeners.chains.filter_chains.second"
MANAGER = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config"


@pytest.mark.parametrize(
    ("error", "key", "line"),
    [
        (EnvoyError("route: unknown cluster 'webb'"), "listeners.http.routes[0].route.cluster", 10),
        # `web` is the name of a cluster, too.
        (EnvoyError("listener 'http': ListenSocket: Setting socket options failed for 'web'"), "listeners.http", 5),
        (EnvoyError("x", f"{MANAGER}.route_config.virtual_hosts[0].routes[0].match"), "listeners.http.routes[0].match", 9),
        (EnvoyError("x", f"{MANAGER}.http_filters[0].typed_config"), "listeners.http.http_filters[0]", 12),
        (EnvoyError("x", f"{MANAGER}.merge_slashes"), "listeners.http.http_connection_manager.merge_slashes", 14),
        (EnvoyError("x", f"{CHAIN}.filters[0]"), f"{SECOND}.filters[0]", 26),
        (EnvoyError("x", f"{CHAIN}.transport_socket.typed_config.common_tls_context"), f"{SECOND}.tls.context", 28),
        (EnvoyError("x", "static_resources.clusters[0].lb_policy"), "clusters.web.cluster.lb_policy", 33),
        (EnvoyError("x", "static_resources.clusters[0].load_assignment"), "clusters.web.cluster", 32),
        (EnvoyError("x", "layered_runtime.layers[0]"), "bootstrap.layered_runtime", 41),
        (EnvoyError("unknown enum value: 'RANDOM'"), "clusters.web.cluster.lb_policy", 33),
        (EnvoyError("words without a place"), "", 3),
        # A listener of the collection: no key of the author is blamed.
        (EnvoyError("x", "static_resources.listeners[2].address"), "", 3),
    ],
)  # fmt: skip
def test_error_has_the_key_and_line_of_the_author(error: EnvoyError, key: str, line: int) -> None:
    found = author_location(SOURCE, CANDIDATE, error)
    assert (found.key, found.line) == (f"proxies.edge.{key}".rstrip("."), line)


def test_every_path_of_a_planned_candidate_has_a_key(plan: shop_demo.Planner) -> None:
    data = shop_demo.shop()
    planned = plan(data)
    (check,) = (one for one in planned["checks"] if one["name"] == "edge")
    content = check["files"][0]["content"]
    names = [one["name"] for one in yaml.safe_load(content)["static_resources"]["listeners"]]
    lines = {f"listeners.{name}": number for number, name in enumerate(names)}
    source = CheckSource("shop.yml", check["source"]["key"], lines)
    for number, name in enumerate(names):
        path = ["static_resources", "listeners", number, "address"]
        assert author_key(source, content.splitlines(), path) == f"listeners.{name}"
