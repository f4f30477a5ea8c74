# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of an author that replace what the collection itself needs of a proxy: its watched files, its admin interface, its names.

Envoy accepts each of them. The deployment could then neither confirm a change nor make one, or the admin interface would be public.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.envoy_messages import keyed_chains
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import (
    RESERVED_CLUSTERS,
    RESERVED_LISTENERS,
    proxies,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.hidden_stats import REMEDY, hidden_stat
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    CLUSTER,
    HTTP_CONNECTION_MANAGER,
    LISTENER,
    snake_case_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    snake_case_message,
)

# Fields of DynamicResources that state other listeners and clusters than the watched files.
_WATCHED = {
    "lds_config": "listeners",
    "lds_resources_locator": "listeners",
    "cds_config": "clusters",
    "cds_resources_locator": "clusters",
}

# Seconds that a thread of Envoy can be busy on a loaded machine.
SHORTEST_KILL = 1


def check_replaced_fields(demo: Mapping[str, Any], file: str) -> None:
    """Raise DemoError for the first field that replaces what the collection needs."""
    for where, proxy in proxies(demo):
        if proxy["config"] is None:
            for key, problem in (
                *_bootstrap(proxy, where),
                *_listeners(proxy, where),
                *_clusters(proxy, where),
            ):
                raise DemoError(file, f"{where}.{key}: {problem}")


def _bootstrap(proxy: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    fields = snake_case_fields(proxy["bootstrap"], BOOTSTRAP)
    yield from _dynamic_resources(fields, where)
    yield from _static_resources(fields)
    if "node" in fields:
        yield from _node(fields["node"])
    yield from _watchdogs(fields)
    admin = fields.get("admin")
    if snake_case_message(admin).get("allow_paths"):
        yield (
            "bootstrap.admin.allow_paths",
            (
                "the collection reads pages of the admin interface to confirm changes and to verify numbers. Remove the key: only the"
                " user of the deployment reaches the interface."
            ),
        )
    for key, config in (
        ("stats_config", proxy["stats_config"]),
        ("bootstrap.stats_config", fields.get("stats_config")),
    ):
        if isinstance(config, Mapping) and (hidden := hidden_stat(config)):
            yield (
                f"{key}.stats_matcher",
                (
                    f"hides the stat {hidden}, by which a deployment confirms that Envoy accepted a change. Include {REMEDY}, or exclude"
                    " other stats only."
                ),
            )


def _watchdogs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Check the watchdogs: Envoy ends itself if one of its threads pauses for this time, as each does while it reads a configuration."""
    inner = snake_case_message(fields.get("watchdogs"))
    found = {f"watchdogs.{name}": one for name, one in inner.items()} | {"watchdog": fields.get("watchdog")}
    for key, watchdog in found.items():
        own = snake_case_message(watchdog)
        for name in ("kill_timeout", "multikill_timeout"):
            seconds = re.fullmatch(r"([0-9]*\.?[0-9]+)s", str(own.get(name)))
            if seconds and 0 < float(seconds[1]) < SHORTEST_KILL:
                yield (
                    f"bootstrap.{key}.{name}",
                    (
                        f"Envoy ends itself when a thread pauses for {own[name]}, as each does while it reads a configuration. Use"
                        f" {SHORTEST_KILL}s or more."
                    ),
                )


def _dynamic_resources(fields: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    dynamic = fields.get("dynamic_resources", {})
    if dynamic is None:
        yield (
            "bootstrap.dynamic_resources",
            f"the planner sets it: Envoy watches the files of '{where}.listeners' and '{where}.clusters'. Remove the key.",
        )
    given = snake_case_message(dynamic)
    for name, kind in _WATCHED.items():
        if name in given:
            yield (
                f"bootstrap.dynamic_resources.{name}",
                (
                    f"the planner sets it: Envoy watches the file of '{where}.{kind}'. Remove the key, or write the whole configuration"
                    f" yourself with '{where}.config'."
                ),
            )


def _static_resources(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    key, static = "bootstrap.static_resources", fields.get("static_resources", {})
    reason = "the read-only admin interface needs its generated entry"
    if static is None:
        yield key, f"{reason}. Remove the key."
    for kind in ("listeners", "clusters") if isinstance(static, Mapping) else ():
        if kind in static and static[kind] is None:
            yield f"{key}.{kind}", f"{reason}. Remove the key."
    given = static if isinstance(static, Mapping) else {}
    for kind, reserved in (("listeners", RESERVED_LISTENERS), ("clusters", RESERVED_CLUSTERS)):
        for place, one in _items(given.get(kind)):
            name = one.get("name")
            if name in reserved:
                yield f"{key}.{kind}{place}.name", f"the name '{name}' is reserved. Choose another name."


def _node(node: Any) -> Iterator[tuple[str, str]]:
    reason = "Envoy reads watched files only with the id and the cluster of its node. Remove the key."
    if node is None:
        yield "bootstrap.node", reason
    for name in ("id", "cluster") if isinstance(node, Mapping) else ():
        if name in node and not node[name]:
            yield f"bootstrap.node.{name}", reason


def _listeners(proxy: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    names: dict[str, str] = {}
    for key, listener in proxy["listeners"].items():
        fields, place = snake_case_fields(listener["listener"], LISTENER), f"listeners.{key}.listener"
        yield from _name("listener", key, fields, place, names, RESERVED_LISTENERS)
        for chain_key, chain in keyed_chains(listener, f"listeners.{key}"):
            manager = snake_case_fields(chain["http_connection_manager"], HTTP_CONNECTION_MANAGER)
            if "http_filters" in manager and not manager["http_filters"]:
                yield (
                    f"{chain_key}.http_connection_manager.http_filters",
                    (
                        "removes the router, so no request would get a response. Remove the key. For filters before the router, use"
                        f" '{where}.{chain_key}.http_filters'."
                    ),
                )
        if fields.get("api_listener") is not None:
            yield (
                f"{place}.api_listener",
                (
                    "Envoy accepts an API listener in its bootstrap only. Move it to"
                    f" '{where}.bootstrap.static_resources.listeners'."
                ),
            )
        if fields.get("bind_to_port") is False and listener["publish"] is not None:
            yield (
                f"{place}.bind_to_port",
                (
                    f"nothing would listen on the published port {listener['publish']}. Remove one of the keys"
                    f" 'bind_to_port' and '{where}.listeners.{key}.publish'."
                ),
            )
        address = fields.get("address")
        socket: Any = (
            address.get("socket_address", address.get("socketAddress"))
            if isinstance(address, Mapping)
            else None
        )
        given = socket if isinstance(socket, Mapping) else {}
        for name in ("port_value", "portValue", "named_port", "namedPort"):
            if name in given and not (listener["port"] and str(given[name]) == str(listener["port"])):
                yield (
                    f"{place}.address.socket_address.{name}",
                    f"the planner sets the port. Write it as '{where}.listeners.{key}.port'.",
                )


def _clusters(proxy: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    names: dict[str, str] = {}
    for key, cluster in proxy["clusters"].items():
        fields, place = snake_case_fields(cluster["cluster"], CLUSTER), f"clusters.{key}.cluster"
        yield from _name("cluster", key, fields, place, names, RESERVED_CLUSTERS)
        target = next((one for one in ("to", "address", "localities") if cluster[one]), "")
        if not target or "load_assignment" not in fields:
            continue
        assignment = fields["load_assignment"]
        if not assignment or (
            isinstance(assignment, Mapping) and "endpoints" in assignment and not assignment["endpoints"]
        ):
            yield (
                f"{place}.load_assignment",
                f"removes the endpoints that '{where}.clusters.{key}.{target}' states, so each request would fail. Remove the key.",
            )


def _name(
    kind: str,
    key: str,
    fields: Mapping[str, Any],
    place: str,
    names: dict[str, str],
    reserved: tuple[str, ...],
) -> Iterator[tuple[str, str]]:
    """Check the name of a resource in Envoy, which the author's fields can replace. `names` has those of the previous ones."""
    name = fields.get("name", key)
    if not isinstance(name, str) or not name:
        yield (
            f"{place}.name",
            f"a {kind} without a name cannot be changed live. Remove the key: the name is '{key}'.",
        )
    elif "name" in fields and name in reserved:
        yield f"{place}.name", f"the name '{name}' is reserved. Choose another name."
    elif name in names:
        yield (
            f"{place}.name" if "name" in fields else f"{kind}s.{key}",
            (f"the {kind} '{names[name]}' has the same name. Choose another name."),
        )
    names[str(name)] = key


def _items(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the messages of a list with their positions. Envoy accepts one message in place of a list of one message."""
    if isinstance(value, Mapping):
        yield "", value
    for position, one in enumerate(value if isinstance(value, (list, tuple)) else ()):
        if isinstance(one, Mapping):
            yield f"[{position}]", one
