# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clusters that the messages of a proxy name: each must exist. Envoy accepts some missing ones, and fails at each request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.envoy_messages import (
    author_messages,
    key_below,
    keyed_chains,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.names import (
    cluster_key,
    cluster_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import proxies
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.field_names import shown
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import (
    ADMIN_CLUSTER,
    STATSD_CLUSTER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    HTTP_CONNECTION_MANAGER,
    snake_case_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.cluster_references import (
    ClusterReference,
    aggregated_sources,
    cluster_references,
    fetches_on_demand,
    tolerates_missing_clusters,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    messages,
    snake_case_message,
)

LISTED = 20


def check_cluster_names(demo: Mapping[str, Any], file: str) -> None:
    """Raise DemoError for the first reference to a cluster that its proxy does not have, or that Envoy does not accept there."""
    for where, proxy in proxies(demo):
        if proxy["config"] is None:
            _check_proxy(demo, proxy, file, where)


def _check_proxy(demo: Mapping[str, Any], proxy: Mapping[str, Any], file: str, where: str) -> None:
    own = list(author_messages(proxy, where))
    if not _has_ads(proxy):
        for message in own:
            for path in aggregated_sources(message.value, message.type):
                raise DemoError(
                    file,
                    f"{key_below(message.key, path)}: the proxy has no ADS server, so Envoy would wait for it. Add"
                    f" '{where}.bootstrap.dynamic_resources.ads_config', or use another source.",
                )
    if any(fetches_on_demand(one.value, one.type) for one in own):
        return
    static = _static_clusters(proxy)
    if proxy["statsd"] is not None or demo["statsd_exporter"] is not None:
        static.add(STATSD_CLUSTER)
    known = static | _live_clusters(proxy, where)
    tolerant = _tolerant_chains(proxy, where)
    for message in own:
        for found in cluster_references(message.value, message.type):
            if found.is_route and message.key.rpartition(".")[0] in tolerant:
                continue
            if problem := _problem(found, known, static, proxy, where):
                raise DemoError(file, f"{key_below(message.key, found.path)}: {problem}")


def _problem(
    found: ClusterReference, known: set[str], static: set[str], proxy: Mapping[str, Any], where: str
) -> str:
    """Return what is wrong with a reference, and what to do. Empty: Envoy accepts it, and has the cluster."""
    if found.name == ADMIN_CLUSTER and ADMIN_CLUSTER not in known:
        return (
            f"the cluster '{ADMIN_CLUSTER}' is the whole admin interface, by which a client can stop Envoy. Use another"
            f" cluster. For the read-only pages of the admin on a port of the host, set '{where}.admin.publish'."
        )
    if found.name not in known:
        return unknown_cluster(found.name, known - {STATSD_CLUSTER}, f"{where}.clusters")
    if found.is_static and found.name not in static:
        key = cluster_key(proxy["clusters"], found.name) or found.name
        return (
            f"Envoy needs the cluster '{found.name}' statically, in its bootstrap, before it reads any other."
            f" Set 'static: true' in '{where}.clusters.{key}'."
        )
    return ""


def unknown_cluster(name: str, known: Collection[str], key: str) -> str:
    """Return what is wrong with a name of a missing cluster, and what to do.

    Example:
        >>> unknown_cluster("db", [], "proxies.edge.clusters")
        "unknown cluster 'db'. This proxy has no clusters. Correct the name, or add the cluster under 'proxies.edge.clusters'."
    """
    near = unknown_name("cluster", name, known).partition("Did you mean ")[2]
    listed = ", ".join(sorted(known)[:LISTED]) + (", …" if len(known) > LISTED else "")
    return (
        f"unknown cluster {shown(name)}. {f'Did you mean {near} ' if near else ''}"
        f"{f'The clusters of this proxy are: {listed}.' if known else 'This proxy has no clusters.'}"
        f" Correct the name, or add the cluster under '{key}'."
    )


def _has_ads(proxy: Mapping[str, Any]) -> bool:
    """Return whether the author's fields of the bootstrap state an ADS server."""
    dynamic = snake_case_fields(proxy["bootstrap"], BOOTSTRAP).get("dynamic_resources")
    return snake_case_message(dynamic).get("ads_config") is not None


def _live_clusters(proxy: Mapping[str, Any], where: str) -> set[str]:
    """Return the names of the clusters in clusters.yaml, among them that of a sidecar's own service."""
    names = {cluster_name(name, one) for name, one in proxy["clusters"].items() if not one["static"]}
    group = where.removeprefix("services.").removesuffix(".sidecar")
    if where.startswith("services.") and group not in proxy["clusters"]:
        names.add(group)
    return names


def _static_clusters(proxy: Mapping[str, Any]) -> set[str]:
    """Return the names of the author's clusters in the bootstrap."""
    names = {cluster_name(name, one) for name, one in proxy["clusters"].items() if one["static"]}
    resources = snake_case_fields(proxy["bootstrap"], BOOTSTRAP).get("static_resources")
    stated = resources.get("clusters") if isinstance(resources, Mapping) else None
    return names | {str(one.get("name", "")) for one in messages(stated)}


def _tolerant_chains(proxy: Mapping[str, Any], where: str) -> set[str]:
    """Return the keys of the filter chains whose author's fields accept routes to missing clusters."""
    found = set()
    for name, listener in proxy["listeners"].items():
        for key, chain in keyed_chains(listener, f"{where}.listeners.{name}"):
            fields = snake_case_fields(chain["http_connection_manager"], HTTP_CONNECTION_MANAGER)
            routes = fields.get("route_config")
            if isinstance(routes, Mapping) and tolerates_missing_clusters(routes):
                found.add(key)
    return found
