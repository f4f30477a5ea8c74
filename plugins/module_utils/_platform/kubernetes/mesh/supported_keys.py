# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Istio can do in place of the proxies of a demo. A demo that needs more is refused with the key that needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import CLUSTER, PROXY, TLS
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN, EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import keys_beyond_routes
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import tcp_proxy

REMEDY = "Remove it, or leave `deployment_mesh` empty."
# Keys of a proxy that the annotations of a pod express in a mesh, or that do not change what requests meet.
NEUTRAL = ("listeners", "clusters", "concurrency", "log_level", "access_log", "drain_seconds", "sensitive")
Problem = tuple[str, str]  # (key in the demo file, what is wrong)


def check_supported(demo: Demo) -> None:
    """Raise DemoError for the first key of a demo that Istio's proxies cannot replace."""
    for key, problem in _problems(demo):
        raise DemoError(demo["file"], f"{key}: {problem}. {REMEDY}")


def _problems(demo: Demo) -> Iterator[Problem]:
    if demo[EXPORTER] is not None:
        yield EXPORTER, "Istio's proxies do not send statsd to a service of the demo"
    for name, service in demo["services"].items():
        if service["sidecar"] is not None:
            yield from _sidecar_problems(name, service)
    for name, edge in demo["proxies"].items():
        yield from _edge_problems(demo, name, edge)
    for position, entry in enumerate(demo["traffic"]):
        if str(entry.get("to", "")).partition("/")[2] == ADMIN:
            yield f"traffic[{position}].to", "Istio's proxies have no read-only admin"


def _sidecar_problems(name: str, service: Mapping[str, Any]) -> Iterator[Problem]:
    where, sidecar = f"services.{name}.sidecar", service["sidecar"]
    yield from _own_settings(where, sidecar)
    for cluster in sidecar["clusters"]:
        yield f"{where}.clusters.{cluster}", "Istio's sidecar needs no cluster for its app, and has no other"
    forwarding = {
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": name}}],
        "filters": [tcp_proxy(name, name)],
    }
    for position, (key, listener) in enumerate(sidecar["listeners"].items()):
        here = f"{where}.listeners.{key}"
        if position:
            yield here, "Istio's sidecar has one listener for the port of the service"
        for option in ("tls", "publish"):
            if listener[option] is not None:
                yield (
                    f"{here}.{option}",
                    "Istio's sidecar has its own mutual TLS, and users do not connect to it",
                )
        for option in ["routes", *keys_beyond_routes(listener)]:
            if listener[option] is not None and listener[option] != forwarding.get(option):
                yield f"{here}.{option}", "Istio's sidecar only forwards to its app"


def _edge_problems(demo: Demo, name: str, edge: Mapping[str, Any]) -> Iterator[Problem]:
    where = f"proxies.{name}"
    yield from _own_settings(where, edge)
    for key, listener in edge["listeners"].items():
        yield from _listener_problems(f"{where}.listeners.{key}", listener)
    targets: dict[str, str] = {}
    for key, cluster in edge["clusters"].items():
        here = f"{where}.clusters.{key}"
        for option, spec in CLUSTER.options.items():
            if option != "to" and cluster[option] != spec.get("default"):
                yield f"{here}.{option}", "a VirtualService only forwards to the services of the demo"
        group = topology.resolve_target(demo, cluster["to"], f"{here}.to")[0]
        if group not in demo["services"]:
            yield f"{here}.to", f"'{cluster['to']}' is a proxy, and a VirtualService forwards to services"
        if (other := targets.setdefault(group, key)) != key:
            yield (
                f"{here}.to",
                f"Istio counts the requests of clusters '{other}' and '{key}' as those of one cluster",
            )
    first, *others = [listener["routes"] for listener in edge["listeners"].values()] or [[]]
    if any(other != first for other in others):
        yield f"{where}.listeners", "they have different routes, and a VirtualService has one list for all"


def _listener_problems(where: str, listener: Mapping[str, Any]) -> Iterator[Problem]:
    for option in keys_beyond_routes(listener):
        yield f"{where}.{option}", "a Gateway and a VirtualService only forward requests by their routes"
    for option, spec in TLS.options.items():
        if (
            listener["tls"] is not None
            and option != "names"
            and listener["tls"][option] != spec.get("default")
        ):
            yield f"{where}.tls.{option}", "a Gateway terminates TLS with the certificate of the demo only"
    for position, route in enumerate(listener["routes"] or []):
        here = f"{where}.routes[{position}]"
        for key in route:
            if key not in ("match", "route"):
                yield f"{here}.{key}", "a VirtualService of a demo only forwards requests"
        if len(route["match"]) != 1 or not route["match"].keys() <= {"path", "prefix"}:
            yield f"{here}.match", "a VirtualService of a demo matches by 'path' or by 'prefix'"
        action = route.get("route", {})
        for key in action:
            if key not in ("cluster", "weighted_clusters"):
                yield f"{here}.route.{key}", "a VirtualService of a demo only forwards requests"
        for key in action.get("weighted_clusters", {}):
            if key != "clusters":
                yield f"{here}.route.weighted_clusters.{key}", "a VirtualService has weights only"


def _own_settings(where: str, proxy: Mapping[str, Any]) -> Iterator[Problem]:
    for option, spec in PROXY.options.items():
        if option not in NEUTRAL and proxy[option] != spec.get("default"):
            yield f"{where}.{option}", "Istio configures its proxies itself"
