# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Istio objects of a demo: its edge proxies as Gateways with routes, and mutual TLS for its services.

Source of the objects: Istio's API reference, `networking.istio.io/v1` and `security.istio.io/v1`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import server_ports
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests import (
    object_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
)

NETWORKING = "networking.istio.io/v1"
SECURITY = "security.istio.io/v1"
# The directory of a gateway's certificate in its container.
CERTIFICATES = "/etc/istio/demo"
# Envoy's default, which Istio has not: Istio's routes have no timeout, and are retried twice.
ROUTE_TIMEOUT = "15s"
# Label of the pods of a gateway: a Gateway selects pods in all namespaces.
NAMESPACE = "meshlab.envoy/namespace"
# Annotation of a Service: which namespaces see it.
EXPORT_TO = "networking.istio.io/exportTo"


def istio_objects(demo: Demo, namespace: str) -> list[Object]:
    """Return the Istio objects of `demo`. `namespace` is empty if the plan does not know it."""
    found: list[Object] = []
    for name, service in demo["services"].items():
        found += [_destination_rule(demo, name), _peer_authentication(demo, name, service)]
    for name, edge in demo["proxies"].items():
        found += [_gateway(demo, name, edge, namespace), _virtual_service(demo, name, edge)]
    return found


def gateway_labels(demo: str, group: str, namespace: str) -> dict[str, str]:
    """Return the labels by which a Gateway selects the pods of `group`."""
    return {**object_names.match(demo, group), **({NAMESPACE: namespace} if namespace else {})}


def route_names(edge: Mapping[str, Any]) -> list[str]:
    """Return a name for each route of an edge proxy. It has a digest of all routes: another list has other names."""
    routes = _routes(edge)
    text = json.dumps([routes, edge["clusters"]], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return [f"{digest}-{position}" for position, _route in enumerate(routes)]


def cluster_host(demo: Demo, target: str) -> tuple[str, int]:
    """Return (name of the Service, port) of a target of an edge proxy: the port of the app, which Istio's sidecar intercepts."""
    group = target.partition("/")[0]
    return object_names.pods_name(demo["name"], group), demo["services"][group]["port"]


def _routes(edge: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the routes of an edge proxy, which are those of each of its listeners."""
    return next((list(one["routes"]) for one in edge["listeners"].values()), [])


def _gateway(demo: Demo, name: str, edge: Mapping[str, Any], namespace: str) -> Object:
    servers = []
    for key, listener in edge["listeners"].items():
        encrypted = listener["tls"] is not None
        server: Object = {
            "port": {
                # The port of the Service, or without one the port of the pod.
                "number": listener["publish"] or listener["port"],
                "name": object_names.port_name(key),
                "protocol": "HTTPS" if encrypted else "HTTP",
            },
            "hosts": ["./*"],
        }
        if encrypted:
            server["tls"] = {
                "mode": "SIMPLE",
                "serverCertificate": f"{CERTIFICATES}/certs/tls.crt",
                "privateKey": f"{CERTIFICATES}/certs/tls.key",
            }
        servers.append(server)
    spec = {"selector": gateway_labels(demo["name"], name, namespace), "servers": servers}
    return _object(demo, NETWORKING, "Gateway", spec, name)


def _virtual_service(demo: Demo, name: str, edge: Mapping[str, Any]) -> Object:
    routes = [
        {
            "name": route_name,
            "match": [{"uri": {"exact" if "path" in route["match"] else "prefix": _path(route)}}],
            "route": list(_destinations(demo, edge, route["route"])),
            "timeout": ROUTE_TIMEOUT,
            "retries": {"attempts": 0},
        }
        for route_name, route in zip(route_names(edge), _routes(edge))
    ]
    spec = {"hosts": ["*"], "gateways": [object_names.object_name(demo["name"], name)], "http": routes}
    return _object(demo, NETWORKING, "VirtualService", spec, name)


def _path(route: Mapping[str, Any]) -> str:
    return str(next(iter(route["match"].values())))


def _destinations(demo: Demo, edge: Mapping[str, Any], action: Mapping[str, Any]) -> Iterator[Object]:
    weighted = action.get("weighted_clusters", {}).get("clusters") or [{"name": action.get("cluster")}]
    for one in weighted:
        host, port = cluster_host(demo, edge["clusters"][one["name"]]["to"])
        weight = {"weight": one["weight"]} if "weight" in one else {}
        yield {"destination": {"host": host, "port": {"number": port}}, **weight}


def _destination_rule(demo: Demo, name: str) -> Object:
    spec = {
        "host": object_names.pods_name(demo["name"], name),
        "trafficPolicy": {
            "tls": {"mode": "ISTIO_MUTUAL"},
            # Envoy's default, as the clusters of the demo have it. Istio's is LEAST_REQUEST.
            "loadBalancer": {"simple": "ROUND_ROBIN"},
        },
    }
    return _object(demo, NETWORKING, "DestinationRule", spec, name)


def _peer_authentication(demo: Demo, name: str, service: Mapping[str, Any]) -> Object:
    """Return the rule that a service accepts mutual TLS only, except at published ports: users are outside of the mesh."""
    spec: Object = {
        "selector": {"matchLabels": object_names.match(demo["name"], name)},
        "mtls": {"mode": "STRICT"},
    }
    opened = [one["port"] for one in [service, *server_ports(demo, name).values()] if one["publish"]]
    if opened:
        spec["portLevelMtls"] = {str(port): {"mode": "PERMISSIVE"} for port in opened}
    return _object(demo, SECURITY, "PeerAuthentication", spec, name)


def _object(demo: Demo, version: str, kind: str, spec: Object, group: str) -> Object:
    name = object_names.object_name(demo["name"], group)
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": object_names.metadata(demo["name"], name, group),
        "spec": spec,
    }
