# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Envoy features that a demo uses, by the names of extensions and fields in Envoy's reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import EXPORTER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import filter_chains

Data = Mapping[str, Any]

# Fields that every demo uses, and that the lists of used features leave out.
COMMON_FIELDS = (
    "cluster",
    "prefix_rewrite",
    "timeout",
    "stat_prefix",
    "listener_filters",
    "typed_config",
    "name",
)
# The type of an extension's configuration. It identifies the extension if the demo gives it a custom name.
TYPE = re.compile(r"type\.googleapis\.com/envoy\.extensions\.([\w.]+?)(?:\.v\d+\w*)?\.\w+$")


def features(demo: dict[str, Any]) -> list[str]:
    """Return the names of the Envoy extensions and fields that a demo uses, without the fields that every demo uses."""
    found: list[str] = []
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        if proxy is None:
            continue
        for listener in proxy["listeners"].values():
            found += _of_listener(listener)
        for cluster in proxy["clusters"].values():
            found += ["UpstreamTlsContext"] if cluster["tls"] is not None else []
            found += ["localities"] if cluster["localities"] else []
            found += [*_extensions(cluster["cluster"]), *cluster["cluster"]]
        found += [*proxy["stats_config"], *proxy["bootstrap"], *_extensions(proxy["bootstrap"])]
        if proxy["statsd"] is not None or demo[EXPORTER] is not None:
            found.append("stats_sinks")
    changed = [one["set"] for change in demo["changes"].values() for one in (change, *change["steps"])]
    found += [
        service
        for key, service in (("listeners", "LDS"), ("clusters", "CDS"))
        if any(_has(one, key) for one in changed)
    ]
    return [one for one in dict.fromkeys(found) if one not in COMMON_FIELDS] or ["routes"]


def _of_listener(listener: Data) -> Iterator[str]:
    if listener["filter_chains"]:
        yield "filter_chain_match"
    yield from _extensions(listener["udp_filters"])
    yield from _extensions(listener["listener"])
    for chain in filter_chains(listener) if listener["udp_filters"] is None else []:
        if chain["tls"] is not None:
            yield "DownstreamTlsContext"
        yield from _extensions([chain["http_filters"], chain["filters"], chain["http_connection_manager"]])
        yield from chain["http_connection_manager"]
        hosts = chain["virtual_hosts"] or [{"routes": chain["routes"] or []}]
        routes = [one for host in hosts for one in host.get("routes", [])]
        if len({str(one["route"].get("cluster")) for one in routes if "route" in one}) > 1:
            yield "routes"
        for route in routes:
            yield from (key for key in route if key not in ("match", "route"))
            yield from route.get("route", {})
            yield from _extensions(route)


def _has(message: Any, key: str) -> bool:
    """Return whether a mapping has a key at any depth."""
    return isinstance(message, Mapping) and (
        key in message or any(_has(one, key) for one in message.values())
    )


def _extensions(message: Any) -> Iterator[str]:
    """Yield the extensions that an Envoy message names at any depth."""
    if isinstance(message, Mapping):
        if "name" in message and "typed_config" in message:
            kind = TYPE.match(str(message["typed_config"].get("@type", "")))
            if str(message["name"]).startswith("envoy."):
                yield str(message["name"])
            elif kind:
                yield kind[1]
        for one in message.values():
            yield from _extensions(one)
    elif isinstance(message, (list, tuple)):
        for one in message:
            yield from _extensions(one)
