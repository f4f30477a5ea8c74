# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of live changes: a demo that has everything that changes, and for each kind a pure function that returns the changed demo."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Data = dict[str, Any]
# Published ports of the demo, by their position in its block.
HTTP, HTTPS, ONE, TWO, EXTRA = range(80, 85)
# Paths of the requests through the edge, and directly to a sidecar.
EDGE_PATHS = ("/one/healthz", "/two/healthz", "/plain/healthz", "/both/healthz")
DIRECT_PATHS = ("/healthz",)


def changing_demo(first: int) -> Data:
    """Return the demo: services with one and two replicas and without a sidecar, behind an edge with and without TLS.

    Args:
        first: The first port of a free block.
    """
    both = [{"name": "one", "weight": 50}, {"name": "two", "weight": 50}]
    routes = [_route(name, {"cluster": name}) for name in ("one", "two", "plain")]
    routes.append(_route("both", {"weighted_clusters": {"clusters": both}}))
    edge = {
        "http": {"port": first + HTTP, "publish": first + HTTP, "routes": routes},
        "https": {
            "port": first + HTTPS,
            "publish": first + HTTPS,
            "tls": {"context": {"common_tls_context": {"alpn_protocols": ["h2", "http/1.1"]}}},
            "routes": copy.deepcopy(routes),
        },
    }
    return {
        "summary": "Everything that changes live",
        "ports": first,
        "services": {
            "one": {"app": {}, "sidecar": _sidecar(first + ONE)},
            "two": {"app": {}, "replicas": 2, "sidecar": _sidecar(first + TWO)},
            "plain": {"app": {}},
        },
        "proxies": {
            "edge": {"listeners": edge, "clusters": {name: {"to": name} for name in ("one", "two", "plain")}}
        },
    }


@dataclass(frozen=True)
class Kind:
    """A kind of change, and the kind of the change back, which can be another one.

    Attributes:
        name: Name of the kind.
        back: Name of the change back.
        change: Returns the changed demo. It can change its argument.
    """

    name: str
    back: str
    change: Callable[[Data], Data]

    def changed(self, demo: Data) -> Data:
        """Return the changed demo."""
        return self.change(copy.deepcopy(demo))


def kinds(older: Data) -> list[Kind]:
    """Return all kinds.

    Args:
        older: The key `envoy` of a demo with another version: image, executable and version.
    """

    def envoy_version(demo: Data) -> Data:
        return {**demo, "envoy": older}

    both = [
        ("cluster added", "cluster removed", cluster_added),
        ("scale up", "scale down", scale_up),
        ("listener added", "listener removed", listener_added),
        ("service added", "service removed", service_added),
    ]
    single = [
        ("route", route),
        ("weights", weights),
        ("cluster options", cluster_options),
        ("TLS parameters", tls_parameters),
        ("certificate names", certificate_names),
        ("route timeout", route_timeout),
        ("connection manager field", connection_manager_field),
        ("listener field", listener_field),
        ("HTTP filter", http_filter),
        ("sidecar listener", sidecar_listener),
        ("no change", no_change),
        ("stats_config", stats_config),
        ("concurrency", concurrency),
        ("log_level", log_level),
        ("Envoy version", envoy_version),
        ("app", app),
        ("sidecar bootstrap", sidecar_bootstrap),
    ]
    return [Kind(*one) for one in both] + [Kind(name, name, change) for name, change in single]


def names(found: list[Kind]) -> list[str]:
    """Return the names of all kinds, in their order."""
    return list(dict.fromkeys(name for kind in found for name in (kind.name, kind.back)))


# Changes of routes and weights


def route(demo: Data) -> Data:
    """Answer a path with a direct response."""
    for listener in _edge(demo)["listeners"].values():
        listener["routes"].insert(0, {"match": {"path": "/new"}, "direct_response": {"status": 204}})
    return demo


def weights(demo: Data) -> Data:
    """Send a tenth of the requests to the second service, in place of a half."""
    for one in _routes(demo):
        if "weighted_clusters" in one["route"]:
            first, second = one["route"]["weighted_clusters"]["clusters"]
            first["weight"], second["weight"] = 90, 10
    return demo


def route_timeout(demo: Data) -> Data:
    """Set the timeout of each route."""
    for one in _routes(demo):
        one["route"]["timeout"] = "20s"
    return demo


# Changes of clusters, replicas and services


def cluster_added(demo: Data) -> Data:
    """Add a cluster and its route."""
    return _with_cluster(demo, "again", "plain")


def cluster_options(demo: Data) -> Data:
    """Set options of each cluster."""
    for one in _edge(demo)["clusters"].values():
        one["cluster"] = {"connect_timeout": "4s", "lb_policy": "LEAST_REQUEST"}
    return demo


def scale_up(demo: Data) -> Data:
    """Run three replicas of each service with a sidecar."""
    for name in ("one", "two"):
        demo["services"][name]["replicas"] = 3
    return demo


def service_added(demo: Data) -> Data:
    """Add a service with a sidecar, before all other services: its ports come first."""
    demo["services"] = {"added": {"app": {}, "sidecar": {}}, **demo["services"]}
    return _with_cluster(demo, "added", "added")


# Changes of listeners


def listener_added(demo: Data) -> Data:
    """Publish another listener, before all other listeners: its port comes first."""
    listeners = _edge(demo)["listeners"]
    port = demo["ports"] + EXTRA
    extra = {"port": port, "publish": port, "routes": copy.deepcopy(listeners["http"]["routes"])}
    _edge(demo)["listeners"] = {"extra": extra, **listeners}
    return demo


def tls_parameters(demo: Data) -> Data:
    """Require TLS 1.3."""
    context = _edge(demo)["listeners"]["https"]["tls"]["context"]
    context["common_tls_context"]["tls_params"] = {"tls_minimum_protocol_version": "TLSv1_3"}
    return demo


def certificate_names(demo: Data) -> Data:
    """Give the certificate another name."""
    _edge(demo)["listeners"]["https"]["tls"]["names"] = ["shop.example.com"]
    return demo


def connection_manager_field(demo: Data) -> Data:
    """Set the server name in responses."""
    for one in _edge(demo)["listeners"].values():
        one["http_connection_manager"] = {"server_name": "changed"}
    return demo


def listener_field(demo: Data) -> Data:
    """Set the buffer limit of connections."""
    for one in _edge(demo)["listeners"].values():
        one["listener"] = {"per_connection_buffer_limit_bytes": 65536}
    return demo


def http_filter(demo: Data) -> Data:
    """Add a filter that limits the size of requests."""
    buffer = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
        "max_request_bytes": 65536,
    }
    for one in _edge(demo)["listeners"].values():
        one["http_filters"] = [{"name": "envoy.filters.http.buffer", "typed_config": buffer}]
    return demo


def sidecar_listener(demo: Data) -> Data:
    """Add a listener to each sidecar, and change a field of its first listener."""
    for one in _sidecars(demo):
        one["listeners"]["ingress"]["http_connection_manager"] = {"server_name": "changed"}
        one["listeners"]["second"] = {"port": 10010}
    return demo


# Changes of what a program reads only at start


def no_change(demo: Data) -> Data:
    """Return the same demo."""
    return demo


def stats_config(demo: Data) -> Data:
    """Add a tag to all stats of the edge."""
    _edge(demo)["stats_config"] = {"stats_tags": [{"tag_name": "zone", "fixed_value": "left"}]}
    return demo


def concurrency(demo: Data) -> Data:
    """Run two worker threads in the edge."""
    _edge(demo)["concurrency"] = 2
    return demo


def log_level(demo: Data) -> Data:
    """Log more in all proxies."""
    for one in [_edge(demo), *_sidecars(demo)]:
        one["log_level"] = "info"
    return demo


def app(demo: Data) -> Data:
    """Run another version of each application."""
    for one in demo["services"].values():
        one["app"]["version"] = "2"
    return demo


def sidecar_bootstrap(demo: Data) -> Data:
    """Set a field of the bootstrap of each sidecar."""
    for one in _sidecars(demo):
        one["bootstrap"] = {"stats_flush_interval": "3s"}
    return demo


def _edge(demo: Data) -> Data:
    edge: Data = demo["proxies"]["edge"]
    return edge


def _routes(demo: Data) -> list[Data]:
    return [one for listener in _edge(demo)["listeners"].values() for one in listener["routes"]]


def _sidecars(demo: Data) -> list[Data]:
    return [one["sidecar"] for one in demo["services"].values() if "sidecar" in one]


def _sidecar(publish: int) -> Data:
    return {"listeners": {"ingress": {"port": 10000, "publish": publish}}}


def _route(path: str, action: Data) -> Data:
    return {"match": {"prefix": f"/{path}/"}, "route": {"prefix_rewrite": "/", **action}}


def _with_cluster(demo: Data, name: str, target: str) -> Data:
    """Add a cluster of the edge, and its route in each listener."""
    _edge(demo)["clusters"] = {name: {"to": target}, **_edge(demo)["clusters"]}
    for listener in _edge(demo)["listeners"].values():
        listener["routes"].insert(0, _route(name, {"cluster": name}))
    return demo
