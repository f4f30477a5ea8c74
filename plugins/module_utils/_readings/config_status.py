# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse versions and rejections of dynamic resources from /config_dump.

The configuration itself, which can contain secrets, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.redact import Redactor

# By type of the dump: the discovery service, the lists of dynamic resources, and the key of a resource in a list's entry.
_DUMPS = {
    "ListenersConfigDump": ("lds", ("dynamic_listeners",), "listener"),
    "ClustersConfigDump": ("cds", ("dynamic_active_clusters", "dynamic_warming_clusters"), "cluster"),
    "RoutesConfigDump": ("rds", ("dynamic_route_configs",), "route_config"),
    "SecretsConfigDump": ("sds", ("dynamic_active_secrets", "dynamic_warming_secrets"), "secret"),
    "EndpointsConfigDump": ("eds", ("dynamic_endpoint_configs",), "endpoint_config"),
}
# How the names of update_rejected stats begin, by discovery service.
_REJECTED_STAT = re.compile(
    r"(?P<lds>listener_manager\.lds\.)|(?P<cds>cluster_manager\.cds\.)|(?P<rds>http\..*\.rds\.)|(?P<sds>sds\.)|(?P<eds>cluster\.)"
)
# Envoy's dump contains the version of all resources together for these services only.
_VERSIONED = ("lds", "cds")
_MAX_ERROR = 2_000  # characters


def parse_config(data: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the readings of a decoded /config_dump, by name."""
    readings: dict[str, Scalar] = {}
    for dump in data.get("configs", ()):
        service, lists, key = _DUMPS.get(str(dump.get("@type", "")).rpartition(".")[2], ("", (), ""))
        if not service:
            continue
        entries = [entry for name in lists for entry in dump.get(name, ())]
        if service in _VERSIONED:
            readings[f"{service}.version_info"] = dump.get("version_info", "")
        names = {_resource_name(entry, key) for entry in entries if _state(entry).get(key)}
        readings[f"{service}.resources"] = len(names)
        for entry in entries:
            name = f"{service}.{_resource_name(entry, key)}"
            readings.update((f"{name}.{field}", value) for field, value in _status(entry, service))
    return readings


def rejected_updates(values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return how many updates of each discovery service Envoy rejected, from its stats named update_rejected."""
    counts = {service: 0 for service, _lists, _key in _DUMPS.values()}
    for name, value in values.items():
        found = _REJECTED_STAT.match(name)
        if found and found.lastgroup and isinstance(value, int):
            counts[found.lastgroup] += value
    return {f"{service}.rejected": count for service, count in counts.items()}


def _state(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = entry.get("active_state") or entry.get("warming_state") or entry
    return state


def _resource_name(entry: Mapping[str, Any], key: str) -> str:
    # A rejected listener can occur a second time, with a name in its failed configuration only.
    resource = _state(entry).get(key) or entry.get("error_state", {}).get("failed_configuration", {})
    return str(entry.get("name") or resource.get("name") or resource.get("cluster_name") or "unnamed")


def _status(entry: Mapping[str, Any], service: str) -> Iterator[tuple[str, Scalar]]:
    """Yield what Envoy's dump contains: an error for listeners only, and neither version nor time for eds."""
    for field in ("version_info", "last_updated"):
        if field in _state(entry):
            yield field, _state(entry)[field]
    error = entry.get("error_state") or {}
    if service == "lds":
        yield "rejected", int(bool(error))
    if error:
        yield "error", Redactor().text(str(error.get("details", "")))[:_MAX_ERROR]
