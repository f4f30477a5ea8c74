# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clusters that the files of an author name. Envoy accepts some missing ones, and fails at each request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

try:
    import yaml
except ImportError:  # on a managed host, which parses no YAML
    yaml = None  # type: ignore[assignment]

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.any_types import type_name
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import ANY
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import (
    FileError,
    at,
    is_mapping,
    items,
    mapping_node,
    parsed,
    text_at,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    CLUSTER,
    ROUTE_CONFIGURATION,
    TYPE_URL,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.cluster_references import (
    ClusterReference,
    aggregated_sources,
    cluster_references,
    fetches_on_demand,
    tolerates_missing_clusters,
)


def check_named_clusters(bootstrap: str, texts: Mapping[str, str], has_other_clusters: bool = False) -> None:
    """Raise FileError for the first name of a cluster that no file has, with the line of the name.

    Names in inline routes are left to Envoy, which refuses a missing one.

    Args:
        bootstrap: The path of the bootstrap.
        texts: The texts of the bootstrap and of the files that it refers to, by path.
        has_other_clusters: Whether Envoy gets clusters from another source than the files. Then nothing is missing.
    """
    roots = {path: mapping_node(path, text) for path, text in texts.items()}
    static = {text_at(one, "name") for one in items(at(roots[bootstrap], "static_resources", "clusters"))}
    live = {
        text_at(one, "name")
        for path, root in roots.items()
        if path != bootstrap
        for one in items(at(root, "resources"))
        if text_at(one, "@type") == f"{TYPE_URL}{CLUSTER}"
    }
    messages = [(path, *one) for path in roots for one in _messages(path, texts[path], path == bootstrap)]
    if at(roots[bootstrap], "dynamic_resources", "ads_config") is None:
        for path, steps, kind, value in messages:
            for found in aggregated_sources(value, kind):
                problem = f"{bootstrap} has no ADS server, so Envoy would wait for it. Add 'dynamic_resources.ads_config', or use"
                raise FileError(path, f"{problem} another source", _line(roots[path], (*steps, *found)))
    if has_other_clusters or _has_discovery(roots[bootstrap]):
        return
    if any(fetches_on_demand(value, kind) for _path, _steps, kind, value in messages):
        return
    for path, steps, kind, value in messages:
        is_inline = type_name(value.get("@type", "")) != ROUTE_CONFIGURATION
        for reference in cluster_references(value, kind):
            if reference.is_route and (is_inline or tolerates_missing_clusters(value)):
                continue
            if problem := _problem(reference, static, live, bootstrap):
                raise FileError(path, problem, _line(roots[path], (*steps, *reference.path)))


def _problem(found: ClusterReference, static: set[str], live: set[str], bootstrap: str) -> str:
    known = sorted(one for one in static | live if one)
    if found.name not in known:
        return f"{unknown_name('cluster', found.name, known)} Correct the name, or add the cluster"
    if found.is_static and found.name not in static:
        needed = f"Envoy needs the cluster '{found.name}' before it reads watched files"
        return f"{needed}. Move it to 'static_resources.clusters' of {bootstrap}"
    return ""


def _has_discovery(bootstrap: Any) -> bool:
    """Return whether a server sends clusters to Envoy."""
    source = at(bootstrap, "dynamic_resources", "cds_config")
    return is_mapping(source) and at(source, "path_config_source") is None and at(source, "path") is None


def _messages(
    path: str, text: str, is_bootstrap: bool
) -> Iterator[tuple[tuple[str | int, ...], str, Mapping[str, Any]]]:
    """Yield (steps to the message, its type, message) of the messages of a file."""
    data = parsed(path, text, lambda: yaml.safe_load(text))
    if is_bootstrap:
        yield (), BOOTSTRAP, data
        return
    resources = data.get("resources")
    for position, one in enumerate(resources if isinstance(resources, list) else ()):
        if isinstance(one, Mapping):
            yield ("resources", position), ANY, one


def _line(node: Any, path: Sequence[str | int]) -> int:
    """Return the line of the value at a path of keys and positions; of the nearest value above it, if the text merges keys."""
    for step in path:
        if is_mapping(node):
            node = next((value for key, value in node.value if key.value == step), node)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
    return int(node.start_mark.line) + 1
