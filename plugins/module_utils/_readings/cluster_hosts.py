# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the hosts of a cluster in /clusters?format=json, which leaves out fields that are zero, false or empty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The flags that decide whether Envoy counts a host in membership_healthy, membership_degraded or neither. Other flags, such as
# pending_active_hc, give the reason only.
_FAILED = frozenset(["failed_active_health_check", "failed_outlier_check"])
_DEGRADED = frozenset(["failed_active_degraded_check", "failed_degraded_outlier_detection"])
_FAILED_EDS_HEALTH = ("UNHEALTHY", "TIMEOUT", "DRAINING")


@dataclass(frozen=True)
class UpstreamHost:
    """One host of a cluster."""

    address: str
    hostname: str = ""
    eds_health: str = "UNKNOWN"
    flags: tuple[str, ...] = ()
    """The fields of its health status that are true."""
    weight: int = 0
    priority: int = 0
    locality: Mapping[str, str] = field(default_factory=dict)
    success_rate: float | None = None
    """Percent, as calculated by outlier detection; None without it."""
    stats: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Return whether Envoy sends the host no requests because of its health."""
        return self.eds_health in _FAILED_EDS_HEALTH or not _FAILED.isdisjoint(self.flags)

    @property
    def healthy(self) -> bool:
        """Return whether Envoy counts the host in membership_healthy."""
        return not self.failed and not self.degraded

    @property
    def ejected(self) -> bool:
        """Return whether outlier detection ejected the host."""
        return "failed_outlier_check" in self.flags

    @property
    def degraded(self) -> bool:
        """Return whether Envoy counts the host in membership_degraded."""
        return not self.failed and (self.eds_health == "DEGRADED" or not _DEGRADED.isdisjoint(self.flags))


def read_host(data: Mapping[str, Any]) -> UpstreamHost:
    """Return the host in an entry of `host_statuses`. Raises ValueError, TypeError or KeyError if the entry is not Envoy's."""
    status, locality = data.get("health_status", {}), data.get("locality", {})
    rate = data.get("success_rate", {}).get("value")
    return UpstreamHost(
        address=address_of(data.get("address", {})),
        hostname=str(data.get("hostname", "")),
        eds_health=str(status.get("eds_health_status", "UNKNOWN")),
        flags=tuple(sorted(key for key, value in status.items() if value is True)),
        weight=whole(data.get("weight", 0)),
        priority=whole(data.get("priority", 0)),
        locality={key: str(locality.get(key, "")) for key in ("region", "zone", "sub_zone")},
        success_rate=None if rate is None else _finite(rate),
        stats={stat["name"]: whole(stat.get("value", 0)) for stat in data.get("stats", ())},
    )


def whole(value: Any) -> int:
    """Return an integer, which protobuf's JSON contains as a number or as text. Raises ValueError or TypeError."""
    try:
        return int(value)
    except OverflowError:
        raise ValueError(f"{value!r} is not an integer") from None


def _finite(value: Any) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a success rate is not a finite number")
    return number


def totals(hosts: Sequence[UpstreamHost]) -> dict[str, int]:
    """Return the number of hosts by state, and the sum of their weights."""
    return {
        "hosts": len(hosts),
        "healthy": sum(host.healthy for host in hosts),
        "degraded": sum(host.degraded for host in hosts),
        "ejected": sum(host.ejected for host in hosts),
        "draining": sum(host.eds_health == "DRAINING" for host in hosts),
        "weight": sum(host.weight for host in hosts),
    }


def address_of(address: Mapping[str, Any]) -> str:
    """Return an address as text: `host:port`, `[host]:port`, `unix://path` or `internal:listener`."""
    if "pipe" in address:
        return f"unix://{address['pipe'].get('path', '')}"
    if "envoy_internal_address" in address:
        return f"internal:{address['envoy_internal_address'].get('server_listener_name', '')}"
    socket = address.get("socket_address", {})
    host, port = str(socket.get("address", "")), socket.get("port_value", 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
