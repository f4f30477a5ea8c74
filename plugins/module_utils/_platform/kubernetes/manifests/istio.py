# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo in a cluster with Istio: Istio's proxies replace those of the demo, with equivalent Istio objects.

Source of the objects: Istio's API reference, `networking.istio.io/v1` (Gateway, VirtualService, DestinationRule).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import keys_beyond_routes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    secret_name,
)

Object = dict[str, Any]
API = "networking.istio.io/v1"
# The label of the gateway in Istio's default installation.
INGRESS = {"istio": "ingressgateway"}
NOTE = "Istio's proxies have other stat names, so this run sends no requests and checks no expectations. See `istioctl dashboard envoy`"


def in_mesh(demo: Demo) -> Demo:
    """Return `demo` without its proxies, and with a published Service for each app.

    The result has no traffic, no expectations and no statsd_exporter, because they depend on the proxies of the demo.

    Raises:
        DemoError: A sidecar of the demo does more than Istio's sidecar.
    """
    changed = deepcopy(demo)
    changed.update(
        proxies={}, statsd_exporter=None, traffic=[], expectations=[], notes=[*demo["notes"], NOTE]
    )
    for change in changed["changes"].values():
        change["during"] = []
    for name, service in changed["services"].items():
        _check_sidecar(demo, name, service)
        service["sidecar"] = None
        service["publish"] = service["publish"] or service["port"]
    return changed


def objects(demo: Demo) -> list[Object]:
    """Return the Istio objects of a demo: mutual TLS for all services, and the routes and weights of its edge proxies."""
    found = [_destination_rule(demo, name) for name in demo["services"]]
    for name, edge in demo["proxies"].items():
        found += [_gateway(demo, name, edge), _virtual_service(demo, name, edge)]
    return found


def _gateway(demo: Demo, name: str, edge: Mapping[str, Any]) -> Object:
    servers = []
    for key, listener in edge["listeners"].items():
        _check_listener(demo, name, key, listener)
        encrypted = listener["tls"] is not None
        server: Object = {
            "port": {
                "number": listener["publish"] or listener["port"],
                "name": object_names.port_name(key),
                "protocol": "HTTPS" if encrypted else "HTTP",
            },
            "hosts": ["*"],
        }
        if encrypted:
            # Istio reads the Secret in the namespace of the gateway.
            server["tls"] = {
                "mode": "SIMPLE",
                "credentialName": secret_name(demo["name"], f"{name}/certs"),
            }
        servers.append(server)
    return _object(demo, "Gateway", name, {"selector": INGRESS, "servers": servers})


def _virtual_service(demo: Demo, name: str, edge: Mapping[str, Any]) -> Object:
    """Return the routes of an edge proxy. All its listeners must have the same routes, which a VirtualService has once."""
    first, *others = [listener["routes"] for listener in edge["listeners"].values()]
    if any(other != first for other in others):
        raise DemoError(
            demo["file"],
            f"proxies.{name}.listeners: have different routes, but a VirtualService has one list for all. Use the same routes.",
        )
    routes = [
        {
            "match": [{"uri": _uri(demo, f"proxies.{name}", route["match"])}],
            "route": list(_destinations(demo, name, edge, route)),
        }
        for route in first
    ]
    spec = {"hosts": ["*"], "gateways": [object_names.object_name(demo["name"], name)], "http": routes}
    return _object(demo, "VirtualService", name, spec)


def _destinations(
    demo: Demo, name: str, edge: Mapping[str, Any], route: Mapping[str, Any]
) -> Iterator[Object]:
    where = f"proxies.{name}"
    action = route.get("route", {})
    if set(route) - {"match", "route"} or set(action) - {"cluster", "weighted_clusters"} or not action:
        raise DemoError(
            demo["file"],
            f"{where}: a route does more than forward requests. Remove that, or leave `deployment_mesh` empty.",
        )
    weighted = action.get("weighted_clusters", {}).get("clusters") or [{"name": action.get("cluster")}]
    for one in weighted:
        target = edge["clusters"][one["name"]]["to"]
        if not target:
            raise DemoError(
                demo["file"],
                f"{where}.clusters.{one['name']}: the target is not a service of the demo. Add 'to', or leave `deployment_mesh` empty.",
            )
        group = target.partition("/")[0]
        destination: Object = {
            "host": object_names.object_name(demo["name"], group),
            "port": {"number": demo["services"][group]["publish"] or demo["services"][group]["port"]},
        }
        yield {
            "destination": destination,
            **({"weight": one["weight"]} if "weight" in one else {}),
        }


def _destination_rule(demo: Demo, name: str) -> Object:
    spec = {
        "host": object_names.object_name(demo["name"], name),
        "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}},
    }
    return _object(demo, "DestinationRule", name, spec)


def _uri(demo: Demo, where: str, match: Mapping[str, Any]) -> Object:
    if set(match) == {"path"}:
        return {"exact": match["path"]}
    if set(match) == {"prefix"}:
        return {"prefix": match["prefix"]}
    raise DemoError(
        demo["file"],
        f"{where}: a route matches by more than its path. Remove that, or leave `deployment_mesh` empty.",
    )


def _check_listener(demo: Demo, name: str, key: str, listener: Mapping[str, Any]) -> None:
    for option in keys_beyond_routes(listener):
        raise DemoError(
            demo["file"],
            f"proxies.{name}.listeners.{key}.{option}: needs an Envoy of the demo. Remove it, or leave `deployment_mesh` empty.",
        )


def _check_sidecar(demo: Demo, name: str, service: Mapping[str, Any]) -> None:
    for key, listener in (service["sidecar"] or {}).get("listeners", {}).items():
        # Istio's sidecar forwards TCP, as the sidecar of a TCP service does by default.
        if listener["tls"] is not None or set(keys_beyond_routes(listener)) - {"filters"}:
            raise DemoError(
                demo["file"],
                f"services.{name}.sidecar.listeners.{key}: does more than Istio's sidecar."
                " Remove that, or leave `deployment_mesh` empty.",
            )


def _object(demo: Demo, kind: str, group: str, spec: Object) -> Object:
    name = object_names.object_name(demo["name"], group)
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": object_names.metadata(demo["name"], name, group),
        "spec": spec,
    }
