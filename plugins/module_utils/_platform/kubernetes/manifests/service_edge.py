# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo whose front is not an Envoy but what a cluster has for it: a Service for each of the services behind the edge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import keys_beyond_routes

# What of an edge's listener a Service does as well as Envoy: to pass requests on. TLS ended there, and a Route does that.
HOW = "leave `deployment_edge: envoy`, or take that out of the demo"


def without_edges(demo: Demo) -> Demo:
    """Return `demo` without its edge proxies: what was sent through one goes straight to the sidecar that it routes to.

    What was expected at an edge, or of how it balances, is left out with it. Raises DemoError for an edge that does more
    than route by path.
    """
    changed = deepcopy(demo)
    edges = changed["proxies"]
    changed["proxies"] = {}
    for name, edge in edges.items():
        _check(demo, name, edge)
        for group in {cluster["to"] for cluster in edge["clusters"].values()}:
            _publish(changed, group)
    for key in ("traffic", "expectations"):
        changed[key] = list(_kept(changed[key], key, edges, demo))
    for change in changed["changes"].values():
        change["during"] = list(_kept(change["during"], "during", edges, demo))
    return changed


def _kept(
    entries: list[Mapping[str, Any]], key: str, edges: Mapping[str, Any], demo: Demo
) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if key == "expectations":
            value = entry.get("value")
            named = _named(entry.get("at"))
            read_of = _named(value.get("at")) if isinstance(value, Mapping) else set()
            if named and not (named | read_of) & edges.keys():
                yield dict(entry)
            continue
        group, _slash, listener = str(entry.get("to", "")).partition("/")
        if group not in edges:
            yield dict(entry)
            continue
        expected = [one for one in entry.get("expect") or [] if "hosts" not in one]
        yield {**entry, "to": _behind(edges[group], listener, entry, demo), "expect": expected}


def _named(places: Any) -> set[str]:
    return set(map(str, [places] if isinstance(places, str) else places or []))


def _behind(edge: Mapping[str, Any], name: str, entry: Mapping[str, Any], demo: Demo) -> str:
    """Return the service that a listener of the edge routes a request to: that of the first route that matches its path."""
    listener = edge["listeners"].get(name) or next(iter(edge["listeners"].values()))
    path = str(entry.get("path") or "/").partition("?")[0]
    for route in listener["routes"]:
        match = route["match"]
        if match.get("path", path) == path and path.startswith(match.get("prefix", "")):
            return str(edge["clusters"][route["route"]["cluster"]]["to"])
    raise DemoError(demo["file"], f"traffic to {entry['to']}: no route of it takes {path}")


def _publish(demo: Demo, target: str) -> None:
    """Let people reach the listener that the edge forwarded to: a Service of its own has every port to itself."""
    group, _slash, name = target.partition("/")
    service = demo["services"][group]
    listeners = (service["sidecar"] or {}).get("listeners", {})
    listener = listeners.get(name) or next(iter(listeners.values()), service)
    listener["publish"] = listener["publish"] or listener["port"]


def _check(demo: Demo, name: str, edge: Mapping[str, Any]) -> None:
    where = f"proxies.{name}"
    for key, listener in edge["listeners"].items():
        here = f"{where}.listeners.{key}"
        for option in keys_beyond_routes(listener):
            raise DemoError(demo["file"], f"{here}.{option}: a Service cannot do that; {HOW}")
        for position, route in enumerate(listener["routes"]):
            simple = route.keys() <= {"match", "route"} and route["match"].keys() <= {"prefix", "path"}
            if not simple or route["route"].keys() != {"cluster"}:
                raise DemoError(
                    demo["file"], f"{here}.routes[{position}]: a Service only passes requests on; {HOW}"
                )
    for key, cluster in edge["clusters"].items():
        if not cluster["to"] or cluster["tls"] is not None or cluster["cluster"]:
            raise DemoError(
                demo["file"], f"{where}.clusters.{key}: a Service only passes requests on to a service; {HOW}"
            )
