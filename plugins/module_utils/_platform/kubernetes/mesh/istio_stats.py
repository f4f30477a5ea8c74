# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of Istio's stats in place of those of a demo's proxies.

Source of the names: istio.io/istio, `pilot/pkg/networking/core` (cluster and stat prefixes), observed with Istio 1.31 and Envoy 1.40.
A name of Istio ends with `;`, so a pattern of it cannot match the start of a longer name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.istio_objects import (
    cluster_host,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.mesh.supported_keys import (
    REMEDY,
)

# Stats that mean the same in each Envoy.
SAME = ("server.", "cluster_manager.cds.update_", "runtime.")
# In a mesh, a change of a listener of the demo arrives through RDS, as routes of a VirtualService.
LISTENER_UPDATES = "listener_manager.lds."
# The keys of an expectation that name stats, and the key of a pattern in their place.
PATTERN_KEYS = {"stat": "match", "match": "match", "over": "over_match", "over_match": "over_match"}
Names = Mapping[
    str, str
]  # pattern of Istio's name by the demo's name: of clusters, or of HTTP connection managers


class ProxyNames:
    """The names of one proxy: those of its clusters and its HTTP listeners."""

    def __init__(self, clusters: Names, listeners: Names) -> None:
        self.clusters, self.listeners = clusters, listeners

    def of_name(self, stat: str) -> str:
        """Return a pattern for a stat of the demo. Empty: Istio's proxy has no such stat."""
        if stat.startswith(LISTENER_UPDATES):
            updates = re.escape(stat.removeprefix(LISTENER_UPDATES))
            return _either([rf"http\.{name}\.rds\..*\.{updates}" for name in self.listeners.values()])
        if stat.startswith(SAME):
            return re.escape(stat)
        for name, pattern in self.listeners.items():
            routes = f"http.{name}.rds.{name}."  # Istio gives its routes another name
            if stat.startswith(routes):
                return rf"http\.{pattern}\.rds\..*\.{re.escape(stat.removeprefix(routes))}"
        for kind, names in (("cluster", self.clusters), ("http", self.listeners)):
            for name, pattern in names.items():
                if stat.startswith(f"{kind}.{name}."):
                    return rf"{kind}\.{pattern}\.{re.escape(stat.removeprefix(f'{kind}.{name}.'))}"
        return ""

    def of_pattern(self, source: str) -> str:
        """Return a pattern in place of a pattern of the demo: a part of it matches names of clusters or listeners. Empty: none."""
        for kind, names in (("cluster", self.clusters), ("http", self.listeners)):
            if not source.startswith(rf"{kind}\."):
                continue
            parts = source.removeprefix(rf"{kind}\.").split(r"\.")
            for end in range(1, len(parts)):
                head, rest = r"\.".join(parts[:end]), r"\.".join(parts[end:])
                if found := [names[name] for name in names if _matches(head, name)]:
                    return rf"{kind}\.{_either(found)}\.{rest}"
        return ""


def proxy_names(demo: Demo, group: str) -> ProxyNames | None:
    """Return the names of the proxy of `group`. None: it has no proxy."""
    if group in demo["proxies"]:
        edge = demo["proxies"][group]
        hosts = {name: cluster_host(demo, one["to"]) for name, one in edge["clusters"].items()}
        return ProxyNames(
            {
                name: rf"outbound\|{port}\|\|{re.escape(host)}\.[^.;]+\.svc\.[^;]+;"
                for name, (host, port) in hosts.items()
            },
            {name: rf"outbound_[^;]*_{one['port']};" for name, one in edge["listeners"].items()},
        )
    service = demo["services"].get(group)
    if service is None or service["sidecar"] is None:
        return None
    return ProxyNames(
        {group: rf"inbound\|{service['port']}\|\|;"},
        dict.fromkeys(service["sidecar"]["listeners"], rf"inbound_[^;]*_{service['port']};"),
    )


def with_istio_stats(demo: Demo, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return expectations with the names of Istio's stats.

    Raises:
        DemoError: An expectation is about a stat that Istio's proxies do not have.
    """
    return [
        _expectation(demo, dict(entry), f"expectations[{position}]") for position, entry in enumerate(entries)
    ]


def _expectation(demo: Demo, entry: dict[str, Any], where: str) -> dict[str, Any]:
    value = entry.get("value")
    if isinstance(value, Mapping) and "at" in value:
        entry["value"] = _translated(demo, dict(value), f"{where}.value")
    return _translated(demo, entry, where)


def _translated(demo: Demo, entry: dict[str, Any], where: str) -> dict[str, Any]:
    at = entry.get("at")
    found = [proxy_names(demo, str(one)) for one in ([at] if isinstance(at, str) else at or [])]
    proxies = [one for one in found if one is not None]
    if not proxies or entry.get("source", "stats") not in ("stats", "server_info"):
        if proxies:
            raise DemoError(demo["file"], f"{where}.source: Istio configures its proxies itself. {REMEDY}")
        return entry
    if entry.get("source", "stats") != "stats":
        return entry
    for key in ("labels", "over_labels"):
        if entry.get(key) is not None:
            raise DemoError(demo["file"], f"{where}.{key}: Istio's stats have other labels. {REMEDY}")
    kept = {key: one for key, one in entry.items() if key not in PATTERN_KEYS}
    for key, pattern_key in PATTERN_KEYS.items():
        if (stat := entry.get(key)) is None:
            continue
        patterns = [
            one.of_name(str(stat)) if key != pattern_key else one.of_pattern(str(stat)) for one in proxies
        ]
        if not all(patterns):
            raise DemoError(
                demo["file"], f"{where}.{key}: Istio's proxies have no stat for '{stat}'. {REMEDY}"
            )
        kept[pattern_key] = _either(list(dict.fromkeys(patterns)))
    return kept


def _either(patterns: Sequence[str]) -> str:
    return patterns[0] if len(patterns) == 1 else f"({'|'.join(patterns)})"


def _matches(source: str, name: str) -> bool:
    try:
        return compile_pattern(source, "match").matches(name)
    except ArgumentError:
        return False
