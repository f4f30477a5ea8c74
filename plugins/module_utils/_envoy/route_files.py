# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The route configurations of listeners, in files that Envoy watches (RDS): a change of routes changes no listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
    path_config_source,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    HTTP_CONNECTION_MANAGER,
    ROUTE_CONFIGURATION,
    TYPE_URL,
)


@dataclass(frozen=True)
class RoutedListeners:
    """Listeners, and the files of their routes.

    Attributes:
        listeners: The listeners. Each HTTP connection manager with a `route_config` has `rds` in its place.
        routes: The route configuration of each file, by the name of the file. RDS requires one resource in each file
            (observed with Envoy 1.36 to 1.40).
    """

    listeners: list[Message]
    routes: dict[str, Message]


def with_route_files(
    listeners: Sequence[Mapping[str, Any]], folder: str, watched: str | None = None
) -> RoutedListeners:
    """Return listeners that fetch their routes from files.

    An HTTP connection manager whose author set `rds` or `scoped_routes` stays as it is.

    Args:
        listeners: The listeners.
        folder: The folder of the files, as Envoy sees it.
        watched: The folder in which a rename makes Envoy read the files again. None: Envoy watches each file.

    Example:
        >>> manager = {"@type": f"{TYPE_URL}{HTTP_CONNECTION_MANAGER}", "route_config": {"name": "http"}}
        >>> listener = {"name": "http", "filter_chains": [{"filters": [{"typed_config": manager}]}]}
        >>> found = with_route_files([listener], "edge/routes")
        >>> found.routes["http.yaml"]["name"]
        'http'
        >>> found.listeners[0]["filter_chains"][0]["filters"][0]["typed_config"]["rds"]["route_config_name"]
        'http'
    """
    routes: dict[str, Message] = {}
    found = []
    for listener in listeners:
        changed = dict(listener)
        for chain_field in ("filter_chains", "default_filter_chain"):
            chains = listener.get(chain_field)
            one_or_more = chains if isinstance(chains, list) else [chains]
            moved = [
                _routed(str(listener.get("name")), chain, folder, watched, routes) for chain in one_or_more
            ]
            if chains is not None:
                changed[chain_field] = moved if isinstance(chains, list) else moved[0]
        found.append(changed)
    return RoutedListeners(found, routes)


def _routed(listener: str, chain: Any, folder: str, watched: str | None, routes: dict[str, Message]) -> Any:
    """Return a filter chain that fetches its routes from a file, which is added to `routes`."""
    if not isinstance(chain, Mapping) or not isinstance(chain.get("filters"), list):
        return chain
    filters = []
    for one in chain["filters"]:
        config = one.get("typed_config") if isinstance(one, Mapping) else None
        field = _inline_routes(config)
        if not field or not isinstance(config, Mapping):
            filters.append(one)
            continue
        name = _file_name(listener, str(chain.get("name") or ""), routes)
        fields = {key: value for key, value in config[field].items() if key != "@type"}
        resource = any_message(ROUTE_CONFIGURATION, **{"name": name, **fields})
        routes[f"{name}.yaml"] = resource
        source = path_config_source(f"{folder}/{name}.yaml", watched)
        filters.append({**one, "typed_config": _with_rds(config, field, resource, source)})
    return {**chain, "filters": filters}


def _inline_routes(config: Any) -> str:
    """Return the name of the field with the routes of an HTTP connection manager. Empty: there is none."""
    if not isinstance(config, Mapping) or config.get("@type") != f"{TYPE_URL}{HTTP_CONNECTION_MANAGER}":
        return ""
    names = ("route_config", "routeConfig")
    return next((name for name in names if isinstance(config.get(name), Mapping)), "")


def _with_rds(config: Mapping[str, Any], field: str, resource: Message, source: Message) -> Message:
    """Return an HTTP connection manager with `rds` at the position of its routes."""
    rds = {"route_config_name": resource["name"], "config_source": source}
    return {("rds" if key == field else key): (rds if key == field else one) for key, one in config.items()}


def _file_name(listener: str, chain: str, taken: Mapping[str, Message]) -> str:
    """Return the name of a file without its suffix, which differs from the other names of the proxy."""
    base = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in listener)
    if chain and chain != listener:
        base += "-" + "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in chain)
    name, number = base, 2
    while f"{name}.yaml" in taken:
        name, number = f"{base}-{number}", number + 1
    return name
