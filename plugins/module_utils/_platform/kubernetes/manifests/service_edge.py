# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo without edge proxies: the Services of a cluster in front of the services that the edge proxies route to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import keys_beyond_routes

# A Service can replace a listener that only forwards requests. A Route can terminate TLS in its place.
REMEDY = "Use `deployment_edge: envoy`, or remove that from the demo."


def without_edges(demo: Demo) -> Demo:
    """Return `demo` without its edge proxies. Requests through an edge proxy go to the sidecar that it routes to.

    Expectations about an edge proxy, or about its load balancing, are left out.

    Raises:
        DemoError: An edge proxy does more than route by path.
    """
    changed = deepcopy(demo)
    edges = changed["proxies"]
    changed["proxies"] = {}
    for name, edge in edges.items():
        _check(demo, name, edge)
        for group in {cluster["to"] for cluster in edge["clusters"].values()}:
            _publish(changed, group)
    for key in ("traffic", "expectations"):
        changed[key] = list(_without_edges(changed[key], key, edges, demo))
    for change in changed["changes"].values():
        for one in (change, *change["steps"]):
            one["during"] = list(_without_edges(one["during"], "during", edges, demo))
    return changed


def _without_edges(
    entries: list[Mapping[str, Any]], key: str, edges: Mapping[str, Any], demo: Demo
) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if key == "expectations":
            value = entry.get("value")
            names = _names(entry.get("at"))
            names_of_value = _names(value.get("at")) if isinstance(value, Mapping) else set()
            if names and not (names | names_of_value) & edges.keys():
                yield dict(entry)
            continue
        group, _slash, listener = str(entry.get("to", "")).partition("/")
        if group not in edges:
            yield dict(entry)
            continue
        expected = [one for one in entry.get("expect") or [] if "hosts" not in one]
        yield {**entry, "to": _routed_service(edges[group], listener, entry, demo), "expect": expected}


def _names(at: Any) -> set[str]:
    return set(map(str, [at] if isinstance(at, str) else at or []))


def _routed_service(edge: Mapping[str, Any], name: str, entry: Mapping[str, Any], demo: Demo) -> str:
    """Return the service that a listener of an edge proxy routes a request to, by the first route that matches its path."""
    listener = edge["listeners"].get(name) or next(iter(edge["listeners"].values()))
    path = str(entry.get("path") or "/").partition("?")[0]
    for route in listener["routes"]:
        match = route["match"]
        if match.get("path", path) == path and path.startswith(match.get("prefix", "")):
            return str(edge["clusters"][route["route"]["cluster"]]["to"])
    raise DemoError(
        demo["file"], f"traffic to {entry['to']}: no route matches {path}. Add a route, or use another path."
    )


def _publish(demo: Demo, target: str) -> None:
    """Publish the listener that an edge proxy forwarded to, with its own number: each Service has its own ports."""
    group, _slash, name = target.partition("/")
    service = demo["services"][group]
    listeners = (service["sidecar"] or {}).get("listeners", {})
    listener = listeners.get(name) or next(iter(listeners.values()), service)
    listener["publish"] = listener["publish"] or listener["port"]


def _check(demo: Demo, name: str, edge: Mapping[str, Any]) -> None:
    where = f"proxies.{name}"
    for key, listener in edge["listeners"].items():
        listener_key = f"{where}.listeners.{key}"
        for option in keys_beyond_routes(listener):
            raise DemoError(demo["file"], f"{listener_key}.{option}: a Service does not support it. {REMEDY}")
        for position, route in enumerate(listener["routes"]):
            simple = route.keys() <= {"match", "route"} and route["match"].keys() <= {"prefix", "path"}
            if not simple or route["route"].keys() != {"cluster"}:
                raise DemoError(
                    demo["file"],
                    f"{listener_key}.routes[{position}]: a Service only forwards requests. {REMEDY}",
                )
    for key, cluster in edge["clusters"].items():
        if not cluster["to"] or cluster["tls"] is not None or cluster["cluster"]:
            raise DemoError(
                demo["file"],
                f"{where}.clusters.{key}: a Service only forwards requests to a service. {REMEDY}",
            )
