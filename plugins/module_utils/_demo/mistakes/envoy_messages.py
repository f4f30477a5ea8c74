# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of the Envoy messages that the author of a demo writes, before Envoy validates the whole configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import (
    CLUSTER,
    FILTER_CHAIN,
    LISTENER,
    PROXY,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import proxies
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.message_faults import message_faults

_ROUTE = "envoy.config.route.v3"
_LISTENER = "envoy.config.listener.v3"
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3"
_TLS = "envoy.extensions.transport_sockets.tls.v3"


@dataclass(frozen=True)
class AuthorMessage:
    """A message, or a list of messages, that the author of a demo writes.

    Attributes:
        key: The key that holds it, such as `proxies.edge.listeners.http.routes`.
        type: The full name of the type of the message.
        value: The message or the list as data.
        complete: Whether it is a whole message. Otherwise the planner adds fields.
        outer: The keys of the demo next to it, to which a misplaced field can belong.
    """

    key: str
    type: str
    value: Any
    complete: bool
    outer: tuple[tuple[str, Sequence[str]], ...] = ()


def check_envoy_messages(demo: Mapping[str, Any], file: str) -> None:
    """Raise DemoError for the first fault of a message. The messages of a proxy with its own build of Envoy are left to that Envoy."""
    for where, proxy in proxies(demo):
        if proxy.get("envoy") or demo.get("envoy"):
            continue
        for message in author_messages(proxy, where):
            for fault in message_faults(message.value, message.type, message.complete, message.outer):
                raise DemoError(file, f"{key_below(message.key, fault.path)}: {fault.problem}")


def key_below(key: str, path: Sequence[str | int]) -> str:
    """Return the key of a demo at a path below `key`.

    Example:
        >>> key_below("proxies.edge.listeners.http.routes", (0, "route", "cluster"))
        'proxies.edge.listeners.http.routes[0].route.cluster'
    """
    return key + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def author_messages(proxy: Mapping[str, Any], where: str) -> Iterator[AuthorMessage]:
    """Yield the messages of one proxy, whose key in the demo is `where`."""
    for name, listener in proxy["listeners"].items():
        yield from _listener_messages(listener, f"{where}.listeners.{name}")
    for name, cluster in proxy["clusters"].items():
        yield from _cluster_messages(cluster, f"{where}.clusters.{name}")
    outer = (_keys_of(where, PROXY.options),)
    yield AuthorMessage(
        f"{where}.stats_config", "envoy.config.metrics.v3.StatsConfig", proxy["stats_config"], False, outer
    )
    yield AuthorMessage(
        f"{where}.bootstrap", "envoy.config.bootstrap.v3.Bootstrap", proxy["bootstrap"], False, outer
    )


def keyed_chains(listener: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the filter chains of a listener with their keys, after the listener itself, which can be its only chain."""
    yield key, listener
    for name, chain in (listener["filter_chains"] or {}).items():
        yield f"{key}.filter_chains.{name}", chain


def _listener_messages(listener: Mapping[str, Any], where: str) -> Iterator[AuthorMessage]:
    outer = (_keys_of(where, LISTENER.options),)
    yield from _chain_messages(listener, where, outer)
    yield AuthorMessage(
        f"{where}.udp_filters", f"{_LISTENER}.ListenerFilter", listener["udp_filters"] or [], True, outer
    )
    yield AuthorMessage(f"{where}.listener", f"{_LISTENER}.Listener", listener["listener"], False, outer)
    for name, chain in (listener["filter_chains"] or {}).items():
        key = f"{where}.filter_chains.{name}"
        chain_keys = (_keys_of(key, FILTER_CHAIN.options), *outer)
        yield AuthorMessage(f"{key}.match", f"{_LISTENER}.FilterChainMatch", chain["match"], True, chain_keys)
        yield from _chain_messages(chain, key, chain_keys)


def _chain_messages(
    chain: Mapping[str, Any], where: str, outer: tuple[tuple[str, Sequence[str]], ...]
) -> Iterator[AuthorMessage]:
    lists = {
        "routes": f"{_ROUTE}.Route",
        "virtual_hosts": f"{_ROUTE}.VirtualHost",
        "http_filters": f"{_HCM}.HttpFilter",
        "filters": f"{_LISTENER}.Filter",
    }
    for key, kind in lists.items():
        yield AuthorMessage(f"{where}.{key}", kind, chain[key] or [], True, outer)
    yield AuthorMessage(
        f"{where}.http_connection_manager",
        f"{_HCM}.HttpConnectionManager",
        chain["http_connection_manager"],
        False,
        outer,
    )
    if chain["tls"] is not None:
        yield AuthorMessage(
            f"{where}.tls.context", f"{_TLS}.DownstreamTlsContext", chain["tls"]["context"], False, outer
        )


def _cluster_messages(cluster: Mapping[str, Any], where: str) -> Iterator[AuthorMessage]:
    outer = (_keys_of(where, CLUSTER.options),)
    yield AuthorMessage(
        f"{where}.cluster", "envoy.config.cluster.v3.Cluster", cluster["cluster"], False, outer
    )
    for index, one in enumerate(cluster["localities"] or []):
        fields = {key: value for key, value in one.items() if key != "to"}
        yield AuthorMessage(
            f"{where}.localities[{index}]",
            "envoy.config.endpoint.v3.LocalityLbEndpoints",
            fields,
            False,
            outer,
        )
    if cluster["tls"] is not None:
        yield AuthorMessage(
            f"{where}.tls.context", f"{_TLS}.UpstreamTlsContext", cluster["tls"]["context"], False, outer
        )


def _keys_of(where: str, names: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    return f"of '{where}'", list(names)
